package dev.holdfast.image;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * Judges a container image in a folder by the key of releases alone: without a network, a registry or a transparency log. In this order,
 * so that what nobody signed is read no further than to find the signature: the signature over the image's digest; the signed
 * provenance, which must be about this digest and names the bill of materials; then every blob.
 */
public final class ImageVerifier {
    /** Of a bill of materials; ours have 60 kilobytes. */
    private static final int MAX_BILL_BYTES = 16 << 20;

    private static final int MAX_SIGNATURE_CHARS = 256;

    private final ImageLayout layout;
    private final ReleaseKey key;

    private ImageVerifier(ImageLayout layout, ReleaseKey key) {
        this.layout = layout;
        this.key = key;
    }

    /** Something of {@link ImageLayout#manifests}, read. */
    private record Part(Descriptor at, Manifest manifest) {}

    /**
     * Verifies the one image of a layout. Rejections are {@code IMG-FORMAT}, {@code IMG-DIGEST}, {@code IMG-UNSIGNED},
     * {@code IMG-SIGNATURE} and {@code IMG-PROVENANCE}.
     *
     * @throws IOException where a file cannot be read
     */
    public static Verdict<VerifiedImage> verify(Path folder, ReleaseKey key) throws IOException {
        try {
            return Verdict.accepted(new ImageVerifier(ImageLayout.open(folder), key).verified());
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    private VerifiedImage verified() throws IOException, RejectedException {
        List<Part> parts = new ArrayList<>();
        for (Descriptor each : layout.manifests()) {
            parts.add(new Part(each, Manifest.read(layout.read(each, Manifest.MAX_BYTES))));
        }
        List<Part> images = parts.stream()
                .filter(part -> part.manifest().subject().isEmpty())
                .toList();
        if (images.size() != 1) {
            throw new RejectedException(Code.IMG_FORMAT, images.size() + " images in index.json, one is expected");
        }
        Part image = images.getFirst();
        Sha256 digest = image.at().digest();
        List<Part> attached = parts.stream()
                .filter(part ->
                        part.manifest().subject().map(Descriptor::digest).equals(Optional.of(digest)))
                .toList();
        requireSigned(attached, digest);
        Provenance provenance = provenance(attached, digest);
        int components = components(attached, provenance.bill());
        long bytes = 0;
        for (Descriptor layer : image.manifest().layers()) {
            bytes += layer.sizeBytes();
        }
        checkBlobs(image.manifest());
        for (Part part : attached) {
            checkBlobs(part.manifest());
        }
        return new VerifiedImage(
                digest,
                image.manifest().annotations().getOrDefault("org.opencontainers.image.created", ""),
                image.manifest().layers().size(),
                bytes,
                key.fingerprint(),
                provenance,
                components);
    }

    private void checkBlobs(Manifest manifest) throws IOException, RejectedException {
        layout.check(manifest.config());
        for (Descriptor layer : manifest.layers()) {
            layout.check(layer);
        }
    }

    private static List<Descriptor> layers(List<Part> parts, String mediaType) {
        return parts.stream()
                .flatMap(part -> part.manifest().layers().stream())
                .filter(layer -> layer.mediaType().equals(mediaType))
                .toList();
    }

    private void requireSigned(List<Part> attached, Sha256 image) throws IOException, RejectedException {
        List<Descriptor> signed = layers(attached, MediaTypes.SIMPLE_SIGNING);
        if (signed.isEmpty()) {
            throw new RejectedException(Code.IMG_UNSIGNED, "nothing in the layout signs " + Descriptor.text(image));
        }
        for (Descriptor each : signed) {
            byte[] payload = layout.read(each, SimpleSigning.MAX_BYTES);
            if (key.verifies(payload, signature(each))
                    && SimpleSigning.read(payload).image().equals(image)) {
                return;
            }
        }
        throw new RejectedException(
                Code.IMG_SIGNATURE,
                "no signature of " + Descriptor.text(image) + " is by the key " + key.fingerprint());
    }

    private static byte[] signature(Descriptor payload) throws RejectedException {
        String text = payload.annotation(SimpleSigning.SIGNATURE);
        try {
            if (text.length() <= MAX_SIGNATURE_CHARS) {
                return Base64.getDecoder().decode(text);
            }
        } catch (IllegalArgumentException e) {
            // As one that is too long.
        }
        throw new RejectedException(Code.IMG_FORMAT, "the annotation " + SimpleSigning.SIGNATURE + " is no signature");
    }

    private Provenance provenance(List<Part> attached, Sha256 image) throws IOException, RejectedException {
        List<Descriptor> found = layers(attached, MediaTypes.ENVELOPE);
        if (found.isEmpty()) {
            throw new RejectedException(Code.IMG_PROVENANCE, "nothing in the layout says how the image was built");
        }
        return Provenance.read(Envelope.open(layout.read(found.getFirst(), Envelope.MAX_BYTES), key), image);
    }

    /** The provenance, which is signed, names the bill by its hash. */
    private int components(List<Part> attached, Sha256 bill) throws IOException, RejectedException {
        for (Descriptor each : layers(attached, MediaTypes.CYCLONEDX)) {
            if (each.digest().equals(bill)) {
                JsonNode read = switch (Json.readObject(layout.read(each, MAX_BILL_BYTES), MAX_BILL_BYTES)) {
                    case Verdict.Accepted<JsonNode>(JsonNode node) -> node;
                    case Verdict.Rejected<JsonNode> _ -> Json.object();
                };
                if (read.path("bomFormat").asText().equals("CycloneDX")) {
                    return read.path("components").size();
                }
            }
        }
        throw new RejectedException(
                Code.IMG_PROVENANCE, "the bill of materials that the provenance names is not in the layout");
    }
}
