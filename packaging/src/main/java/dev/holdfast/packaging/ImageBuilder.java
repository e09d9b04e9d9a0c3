package dev.holdfast.packaging;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.image.Descriptor;
import dev.holdfast.image.ImageWriter;
import dev.holdfast.image.Provenance;
import dev.holdfast.image.Provenance.Material;
import dev.holdfast.image.ReleaseKey;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Writes one container image into a new folder; packaging/image.sh prepares what goes into it. */
@Command(name = "image-builder", description = "Writes a container image.")
final class ImageBuilder implements Callable<Integer> {
    private static final String OCI = "org.opencontainers.image.";
    private static final int MAX_CONFIG_BYTES = 64 * 1024;

    @Option(names = "--out", required = true)
    Path out = Path.of("");

    @Option(names = "--name", required = true)
    String name = "";

    @Option(names = "--version", required = true)
    String version = "";

    @Option(names = "--description", required = true)
    String description = "";

    @Option(names = "--arch", required = true)
    String arch = "";

    /** Tar archives, the lowest first. */
    @Option(names = "--layer", required = true)
    List<Path> layers = new ArrayList<>();

    /** The part {@code config} of the image's configuration. */
    @Option(names = "--config", required = true)
    Path config = Path.of("");

    /** Lines of a package URL and a SHA-256. */
    @Option(names = "--materials", required = true)
    Path materials = Path.of("");

    @Option(names = "--bill", required = true)
    List<Path> bills = new ArrayList<>();

    @Option(names = "--commit", required = true)
    String commit = "";

    @Option(names = "--uncommitted")
    boolean uncommitted;

    @Option(names = "--source", required = true)
    String source = "";

    @Option(names = "--builder", required = true)
    String builder = "";

    @Option(names = "--key")
    @Nullable
    Path key;

    public static void main(String[] args) {
        System.exit(new CommandLine(new ImageBuilder()).execute(args));
    }

    @Override
    public Integer call() throws Exception {
        Instant made = Instant.ofEpochSecond(Long.parseLong(System.getenv("SOURCE_DATE_EPOCH")));
        ReleaseKeyFile signer = key == null ? null : ReleaseKeyFile.read(key);
        List<Material> debian = new ArrayList<>();
        for (String line : Files.readAllLines(materials)) {
            String[] words = line.split(" ");
            debian.add(new Material(words[0], words[1]));
        }
        ImageWriter writer = new ImageWriter(out);
        List<ImageWriter.Layer> packed = new ArrayList<>();
        for (Path tar : layers) {
            packed.add(writer.layer(tar));
        }
        Descriptor image = writer.image(configuration(made), packed, annotations(made), version);
        byte[] bill = ImageBill.of(name, version, made, bills, debian);
        Provenance provenance = new Provenance(
                name, version, arch, image.digest(), builder, source, commit, uncommitted, debian, Sha256.of(bill));
        if (signer != null) {
            writer.signature(image, name, signer);
        }
        writer.provenance(image, provenance, Optional.ofNullable(signer));
        writer.bill(image, bill);
        writer.finish();
        System.out.println(name + " " + version + " sha256:" + image.digest()
                + (signer == null
                        ? ", not signed"
                        : ", signed by the key "
                                + ReleaseKey.fromPem(signer.publicKey())
                                        .orThrow()
                                        .fingerprint()));
        return 0;
    }

    private ObjectNode configuration(Instant made) throws Exception {
        ObjectNode json = Json.object()
                .put("created", made.toString())
                .put("architecture", arch)
                .put("os", "linux");
        json.set(
                "config",
                Json.readObject(Files.readAllBytes(config), MAX_CONFIG_BYTES).orThrow());
        ArrayNode history = json.putArray("history");
        for (Path layer : layers) {
            history.addObject()
                    .put("created", made.toString())
                    .put(
                            "created_by",
                            "packaging/image.sh: "
                                    + layer.getFileName().toString().replace(".tar", ""));
        }
        return json;
    }

    private Map<String, String> annotations(Instant made) {
        SortedMap<String, String> all = new TreeMap<>(Map.of(
                OCI + "title", name,
                OCI + "description", description,
                OCI + "version", version,
                OCI + "created", made.toString(),
                OCI + "revision", commit,
                OCI + "licenses", "Apache-2.0"));
        if (!source.isEmpty()) {
            all.put(OCI + "source", source);
        }
        return all;
    }
}
