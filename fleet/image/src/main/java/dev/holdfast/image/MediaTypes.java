package dev.holdfast.image;

/** Names of forms, as the OCI image specification, cosign, in-toto and CycloneDX give them. */
final class MediaTypes {
    static final String INDEX = "application/vnd.oci.image.index.v1+json";
    static final String MANIFEST = "application/vnd.oci.image.manifest.v1+json";
    static final String CONFIG = "application/vnd.oci.image.config.v1+json";
    static final String LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";
    /** The configuration of what is no image: two bytes, {@code {}}. */
    static final String EMPTY = "application/vnd.oci.empty.v1+json";

    static final String SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
    static final String COSIGN_SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json";
    static final String ENVELOPE = "application/vnd.dsse.envelope.v1+json";
    static final String STATEMENT = "application/vnd.in-toto+json";
    static final String CYCLONEDX = "application/vnd.cyclonedx+json";

    private MediaTypes() {}
}
