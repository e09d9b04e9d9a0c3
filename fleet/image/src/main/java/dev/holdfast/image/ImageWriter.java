package dev.holdfast.image;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;

/**
 * Writes an image into a folder by the OCI image layout, and what belongs to it: signature, provenance, bill of materials, each a
 * manifest of its own whose {@code subject} is the image (a referrer), and under the tags that cosign looks for. The same input gives the
 * same bytes. Used once; not thread-safe.
 */
public final class ImageWriter {
    private static final String REF_NAME = "org.opencontainers.image.ref.name";
    /** How cosign finds its parts in a layout ({@code cosign verify --local-image}). */
    private static final String KIND = "kind";

    private static final String COSIGN = "dev.cosignproject.cosign/";
    private static final String PREDICATE_TYPE = "predicateType";
    private static final int COPY_BYTES = 1 << 16;

    private final Path blobs;
    private final Path folder;
    private final List<Descriptor> manifests = new ArrayList<>();

    /**
     * A layer, as it is packed and as it is unpacked.
     *
     * @param unpacked SHA-256 of the archive before compression, which the image's configuration names ({@code diff_ids})
     */
    public record Layer(Descriptor packed, Sha256 unpacked) {}

    /** @param folder a new or an empty one */
    public ImageWriter(Path folder) throws IOException {
        this.folder = folder;
        this.blobs = Files.createDirectories(folder.resolve("blobs").resolve("sha256"));
        Files.write(
                folder.resolve(ImageLayout.MARK),
                Json.write(Json.object().put("imageLayoutVersion", ImageLayout.VERSION)));
    }

    /** Packs a tar archive. */
    public Layer layer(Path tar) throws IOException {
        MessageDigest unpacked = Sha256.newDigest();
        MessageDigest packed = Sha256.newDigest();
        Path part = Files.createTempFile(folder, "layer", ".part");
        try (InputStream in = Files.newInputStream(tar);
                OutputStream file = new BufferedOutputStream(Files.newOutputStream(part), COPY_BYTES);
                OutputStream gzip = new Gzip(new DigestOutputStream(file, packed))) {
            byte[] buffer = new byte[COPY_BYTES];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                unpacked.update(buffer, 0, n);
                gzip.write(buffer, 0, n);
            }
        }
        Sha256 digest = Sha256.finish(packed);
        Descriptor descriptor =
                new Descriptor(MediaTypes.LAYER, digest, Files.size(part), "", Collections.emptySortedMap());
        Files.move(part, blobs.resolve(digest.hex()), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        return new Layer(descriptor, Sha256.finish(unpacked));
    }

    private static final class Gzip extends GZIPOutputStream {
        Gzip(OutputStream out) throws IOException {
            super(out, COPY_BYTES);
            def.setLevel(Deflater.BEST_COMPRESSION);
        }
    }

    private Descriptor blob(String mediaType, byte[] bytes) throws IOException {
        Descriptor blob = Descriptor.of(mediaType, bytes);
        Files.write(blobs.resolve(blob.digest().hex()), bytes);
        return blob;
    }

    private Descriptor manifest(Manifest manifest, String tag, String kind) throws IOException {
        Descriptor at = blob(MediaTypes.MANIFEST, manifest.toBytes());
        SortedMap<String, String> named = new TreeMap<>();
        if (!tag.isEmpty()) {
            named.put(REF_NAME, tag);
        }
        if (!kind.isEmpty()) {
            named.put(KIND, COSIGN + kind);
        }
        manifests.add(new Descriptor(
                        at.mediaType(),
                        at.digest(),
                        at.sizeBytes(),
                        manifest.artifactType(),
                        Collections.emptySortedMap())
                .annotated(named));
        return at;
    }

    /**
     * The image itself.
     *
     * @param config the image's configuration (config.md), to which {@code rootfs} and {@code history} are added
     * @param tag a name for people, such as the version
     * @return what the other parts belong to
     */
    public Descriptor image(ObjectNode config, List<Layer> layers, Map<String, String> annotations, String tag)
            throws IOException {
        ArrayNode unpacked = config.putObject("rootfs").put("type", "layers").putArray("diff_ids");
        layers.forEach(layer -> unpacked.add(Descriptor.text(layer.unpacked())));
        return manifest(
                new Manifest(
                        "",
                        blob(MediaTypes.CONFIG, Json.write(config)),
                        layers.stream().map(Layer::packed).toList(),
                        Optional.empty(),
                        new TreeMap<>(annotations)),
                tag,
                "image");
    }

    /** Attaches the signature, in cosign's form. */
    public void signature(Descriptor image, String name, ReleaseSigner signer) throws IOException {
        byte[] payload = new SimpleSigning(image.digest()).toBytes(name);
        Descriptor layer = blob(MediaTypes.SIMPLE_SIGNING, payload)
                .annotated(Map.of(SimpleSigning.SIGNATURE, Base64.getEncoder().encodeToString(signer.sign(payload))));
        // What cosign writes: the configuration of an image of one layer.
        ObjectNode config = Json.object().put("architecture", "").put("os", "");
        config.putObject("config");
        config.putObject("rootfs").put("type", "layers").putArray("diff_ids").add(Descriptor.text(layer.digest()));
        attach(image, MediaTypes.COSIGN_SIGNATURE, blob(MediaTypes.CONFIG, Json.write(config)), layer, "sig", "sigs");
    }

    /** Attaches the provenance: in an envelope that is signed, or as it is where nobody signs. */
    public void provenance(Descriptor image, Provenance provenance, Optional<ReleaseSigner> signer) throws IOException {
        byte[] statement = provenance.toBytes();
        Descriptor layer = signer.isPresent()
                ? blob(MediaTypes.ENVELOPE, Envelope.seal(statement, signer.get()))
                        .annotated(Map.of(SimpleSigning.SIGNATURE, ""))
                : blob(MediaTypes.STATEMENT, statement);
        Descriptor named = layer.annotated(Map.of(PREDICATE_TYPE, Provenance.PREDICATE));
        attach(
                image,
                MediaTypes.STATEMENT,
                empty(),
                named,
                signer.isPresent() ? "att" : "",
                signer.isPresent() ? "atts" : "");
    }

    /** Attaches the bill of materials in CycloneDX; its SHA-256 belongs into the provenance. */
    public void bill(Descriptor image, byte[] cyclonedx) throws IOException {
        attach(image, MediaTypes.CYCLONEDX, empty(), blob(MediaTypes.CYCLONEDX, cyclonedx), "", "");
    }

    private Descriptor empty() throws IOException {
        return blob(MediaTypes.EMPTY, "{}".getBytes(StandardCharsets.UTF_8));
    }

    private void attach(
            Descriptor image, String artifactType, Descriptor config, Descriptor layer, String suffix, String kind)
            throws IOException {
        String tag = suffix.isEmpty() ? "" : "sha256-" + image.digest().hex() + "." + suffix;
        manifest(
                new Manifest(artifactType, config, List.of(layer), Optional.of(image), Collections.emptySortedMap()),
                tag,
                kind);
    }

    /** Writes the index; nothing is there without it. */
    public void finish() throws IOException {
        ObjectNode index = Json.object().put("schemaVersion", 2).put("mediaType", MediaTypes.INDEX);
        ArrayNode all = index.putArray("manifests");
        manifests.forEach(each -> all.add(each.toJson()));
        Files.write(folder.resolve(ImageLayout.INDEX), Json.write(index));
    }
}
