package dev.holdfast.image;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A model that is packaged as an OCI artifact, in a local image layout: one layer is a GGUF file, and small files may be beside it, such
 * as {@code template.json}. A layer is the GGUF by its media type, as Docker's model tools and ModelPack write it, or by its title, as
 * ORAS writes it. Titles only tell layers apart; they are never paths. Nothing here says who made the artifact: whoever publishes it
 * signs it.
 */
public final class ModelArtifact {
    /** The annotation that names a layer (OCI image specification 1.1, annotations.md). */
    private static final String TITLE = "org.opencontainers.image.title";

    private static final String GGUF = ".gguf";
    /** By Docker's model specification, and by the CNCF's ModelPack for an uncompressed file. */
    private static final List<String> GGUF_TYPES = List.of(
            "application/vnd.docker.ai.gguf.v3", "application/vnd.cncf.model.weight.v1.raw", "application/gguf");

    private final ImageLayout layout;
    private final Manifest manifest;
    private final Descriptor model;

    private ModelArtifact(ImageLayout layout, Manifest manifest, Descriptor model) {
        this.layout = layout;
        this.manifest = manifest;
        this.model = model;
    }

    /** Whether a folder says of itself that it is an OCI image layout. */
    public static boolean is(Path folder) {
        return ImageLayout.is(folder);
    }

    /**
     * Reads index and manifest; the model's bytes are left alone, see {@link #digest}. Rejections are {@code IMG-FORMAT} where there is
     * not one artifact with one GGUF layer, and {@code IMG-DIGEST}.
     *
     * @throws IOException where a file cannot be read
     */
    public static Verdict<ModelArtifact> open(Path folder) throws IOException {
        try {
            ImageLayout layout = ImageLayout.open(folder);
            if (layout.manifests().size() != 1) {
                throw new RejectedException(
                        Code.IMG_FORMAT,
                        folder + ": " + layout.manifests().size()
                                + " manifests in index.json; copy one artifact into a layout of its own");
            }
            Manifest manifest = Manifest.read(layout.read(layout.manifests().getFirst(), Manifest.MAX_BYTES));
            List<Descriptor> models =
                    manifest.layers().stream().filter(ModelArtifact::isGguf).toList();
            if (models.size() != 1) {
                throw new RejectedException(
                        Code.IMG_FORMAT,
                        folder + ": " + models.size() + " layers are GGUF files; a model is one file, not in parts");
            }
            layout.file(models.getFirst());
            return Verdict.accepted(new ModelArtifact(layout, manifest, models.getFirst()));
        } catch (RejectedException e) {
            return new Verdict.Rejected<>(e.rejection());
        }
    }

    private static boolean isGguf(Descriptor layer) {
        return GGUF_TYPES.contains(layer.mediaType()) || layer.annotation(TITLE).endsWith(GGUF);
    }

    /** Where the model's bytes are: a regular file of the length that its descriptor says. */
    public Path model() throws IOException, RejectedException {
        return layout.file(model);
    }

    /** What the model's bytes must hash to. It is for the caller to check, on the copy that he goes on with. */
    public Sha256 digest() {
        return model.digest();
    }

    /**
     * The bytes of the one layer with this title; empty where there is none.
     *
     * @throws RejectedException {@code IMG-FORMAT} where there are several or it is longer, {@code IMG-DIGEST}
     */
    public Optional<byte[]> file(String title, int maxBytes) throws IOException, RejectedException {
        List<Descriptor> found = manifest.layers().stream()
                .filter(layer -> layer.annotation(TITLE).equals(title))
                .toList();
        if (found.size() > 1) {
            throw new RejectedException(Code.IMG_FORMAT, found.size() + " layers are called " + title);
        }
        return found.isEmpty() ? Optional.empty() : Optional.of(layout.read(found.getFirst(), maxBytes));
    }
}
