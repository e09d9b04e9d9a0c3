package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model is published from a file, a folder or an OCI layout; what a layout says of itself is believed in nothing. */
class ModelInputTest {
    private static final Path DEMO = Path.of("..", "..", "demo");
    private static final String MANIFEST = "application/vnd.oci.image.manifest.v1+json";
    private static final String TITLE = "org.opencontainers.image.title";

    @TempDir
    Path dir;

    private FleetRepository repository;
    private Path layout;
    private String errors = "";
    private String output = "";

    @BeforeEach
    void init() throws Exception {
        repository = new FleetRepository(new FleetDirectory(dir.resolve("fleet")), Clock.systemUTC());
        assertThat(repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1")))
                .exists();
        layout = Files.createDirectories(dir.resolve("layout"));
        Files.createDirectories(layout.resolve("blobs/sha256"));
        Files.writeString(layout.resolve("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
    }

    private int publish(Path from, String... more) {
        List<String> args = new ArrayList<>(
                List.of("publish", "--dir", dir.resolve("fleet").toString(), "intent", "1.0.0", from.toString()));
        args.addAll(List.of(more));
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code =
                FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), args.toArray(String[]::new));
        errors = err.toString();
        output = out.toString();
        return code;
    }

    private void refused(String code, Path from) throws Exception {
        assertThat(publish(from)).as(output).isNotZero();
        assertThat(errors).contains(code);
        assertThat(repository.targets()).isEmpty();
    }

    // --- folders ---

    @Test
    void aFolderIsPublishedWithItsTemplateAndItsCanaries() throws Exception {
        Path folder = Files.createDirectories(dir.resolve("model"));
        Files.copy(DEMO.resolve("intent-1.0.0.gguf"), folder.resolve("intent.gguf"));
        assertThat(publish(folder)).isEqualTo(2);
        assertThat(errors).contains("--template FILE.json is missing").contains("fleet template import");
        Files.copy(DEMO.resolve("template.json"), folder.resolve("template.json"));
        Files.copy(DEMO.resolve("canaries-1.0.0.json"), folder.resolve("canaries.json"));
        assertThat(publish(folder, "--json")).as(errors).isZero();
        assertThat(repository.release("intent", "1.0.0").model().gate().path("canaries"))
                .isNotEmpty();
        assertThat(output).contains("\"canary\"").contains("\"weights\"");
    }

    @Test
    void aFolderWithoutOneModelIsRefused() throws Exception {
        Path folder = Files.createDirectories(dir.resolve("model"));
        refused("FLT-ABSENT", folder);
        Files.createSymbolicLink(
                folder.resolve("link.gguf"), DEMO.resolve("intent-1.0.0.gguf").toAbsolutePath());
        refused("FLT-ABSENT", folder);
        Files.copy(DEMO.resolve("intent-1.0.0.gguf"), folder.resolve("a.gguf"));
        Files.copy(DEMO.resolve("intent-2.0.0.gguf"), folder.resolve("b.gguf"));
        assertThat(publish(folder)).isEqualTo(1);
        assertThat(errors).contains("several GGUF files").contains("name the one to publish");
    }

    // --- OCI layouts ---

    private ObjectNode blob(String mediaType, String title, byte[] bytes) throws IOException {
        Sha256 digest = Sha256.of(bytes);
        Files.write(layout.resolve("blobs/sha256").resolve(digest.hex()), bytes);
        ObjectNode layer = Json.object()
                .put("mediaType", mediaType)
                .put("digest", "sha256:" + digest.hex())
                .put("size", bytes.length);
        if (!title.isEmpty()) {
            layer.putObject("annotations").put(TITLE, title);
        }
        return layer;
    }

    private void index(ObjectNode... layers) throws IOException {
        ObjectNode manifest = Json.object()
                .put("schemaVersion", 2)
                .put("mediaType", MANIFEST)
                .put("artifactType", "application/vnd.example.model");
        manifest.set("config", blob("application/vnd.oci.empty.v1+json", "", new byte[] {'{', '}'}));
        ArrayNode all = manifest.putArray("layers");
        for (ObjectNode layer : layers) {
            all.add(layer);
        }
        ObjectNode index = Json.object().put("schemaVersion", 2);
        index.putArray("manifests").add(blob(MANIFEST, "", Json.write(manifest)));
        Files.write(layout.resolve("index.json"), Json.write(index));
    }

    private ObjectNode model() throws IOException {
        return blob("application/vnd.docker.ai.gguf.v3", "", Files.readAllBytes(DEMO.resolve("intent-1.0.0.gguf")));
    }

    private ObjectNode template() throws IOException {
        return blob("application/json", "template.json", Files.readAllBytes(DEMO.resolve("template.json")));
    }

    private Path blob(ObjectNode layer) {
        return layout.resolve("blobs/sha256")
                .resolve(layer.get("digest").asText().substring("sha256:".length()));
    }

    @Test
    void anArtifactInALayoutIsPublished() throws Exception {
        index(model(), template());
        assertThat(publish(layout)).as(errors).isZero();
        assertThat(repository.release("intent", "1.0.0").model().file().sha256())
                .isEqualTo(Sha256.ofFile(DEMO.resolve("intent-1.0.0.gguf")));
    }

    @Test
    void otherBytesThanALayoutSaysAreRefused() throws Exception {
        ObjectNode model = model();
        ObjectNode template = template();
        index(model, template);
        byte[] bytes = Files.readAllBytes(blob(model));
        bytes[bytes.length - 1] ^= 1;
        Files.write(blob(model), bytes);
        refused("IMG-DIGEST", layout);
        Files.write(blob(model), new byte[10]);
        refused("IMG-DIGEST", layout);
        model();
        Files.writeString(blob(template), "{}");
        refused("IMG-DIGEST", layout);
    }

    @Test
    void linksAndPathsLeadNowhere() throws Exception {
        ObjectNode model = model();
        index(model, template());
        Path outside = Files.move(blob(model), dir.resolve("outside"));
        Files.createSymbolicLink(blob(model), outside);
        refused("IMG-DIGEST", layout);
        Files.delete(blob(model));
        index(model.deepCopy().put("digest", "sha256:../../../outside"), template());
        refused("IMG-FORMAT", layout);
        // The titles are names of layers and never of files.
        ObjectNode climbing = blob("application/gguf", "../../../fleet/fleet.json", Files.readAllBytes(outside));
        byte[] before = Files.readAllBytes(dir.resolve("fleet/fleet.json"));
        index(climbing, template());
        assertThat(publish(layout)).as(errors).isZero();
        assertThat(Files.readAllBytes(dir.resolve("fleet/fleet.json"))).isEqualTo(before);
    }

    @Test
    void aFolderOfBlobsThatIsALinkIsRefused() throws Exception {
        index(model(), template());
        Path moved = Files.move(layout.resolve("blobs"), dir.resolve("moved"));
        Files.createSymbolicLink(layout.resolve("blobs"), moved);
        refused("IMG-DIGEST", layout);
    }

    @Test
    void whatIsNotOneModelIsRefused() throws Exception {
        index(template());
        refused("IMG-FORMAT", layout);
        index(model(), blob("application/octet-stream", "other.gguf", new byte[10]), template());
        refused("IMG-FORMAT", layout);
        index(model(), template(), template());
        refused("IMG-FORMAT", layout);
        index(model(), blob("application/json", "template.json", new byte[2_000_000]));
        refused("IMG-FORMAT", layout);
        index(model().put("size", 1L << 60), template());
        refused("IMG-FORMAT", layout);
        Files.writeString(layout.resolve("index.json"), "{\"manifests\":[]}");
        refused("IMG-FORMAT", layout);
        Files.write(layout.resolve("index.json"), new byte[5_000_000]);
        refused("IMG-FORMAT", layout);
    }
}
