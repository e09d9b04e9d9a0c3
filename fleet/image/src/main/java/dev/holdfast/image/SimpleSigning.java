package dev.holdfast.image;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;

/**
 * What cosign signs of an image: the simple signing document of containers/image with cosign's type (SIGNATURE_SPEC.md).
 *
 * @param image digest of the image's manifest
 */
record SimpleSigning(Sha256 image) {
    static final int MAX_BYTES = 16 * 1024;
    /** The annotation of the layer that has the signature. */
    static final String SIGNATURE = "dev.cosignproject.cosign/signature";

    private static final String TYPE = "cosign container image signature";
    private static final int MAX_CHARS = 255;

    /** The name is for people: cosign passes over it, and so do we. */
    byte[] toBytes(String name) {
        ObjectNode json = Json.object();
        ObjectNode critical = json.putObject("critical");
        critical.putObject("identity").put("docker-reference", name);
        critical.putObject("image").put("docker-manifest-digest", Descriptor.text(image));
        critical.put("type", TYPE);
        json.putNull("optional");
        return Json.write(json);
    }

    /** {@code IMG-FORMAT} where it is none. */
    static SimpleSigning read(byte[] payload) throws RejectedException {
        Fields critical = Manifest.document(payload).object("critical");
        if (!critical.text("type", MAX_CHARS).equals(TYPE)) {
            throw critical.wrong("type", TYPE);
        }
        return new SimpleSigning(Descriptor.digest(critical.object("image"), "docker-manifest-digest"));
    }
}
