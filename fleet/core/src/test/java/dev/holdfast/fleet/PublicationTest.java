package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.GateReport;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a device would refuse is not signed, and leaves nothing behind. */
class PublicationTest {
    private static final Path DEMO = Path.of("..", "..", "demo");
    private static final Path MODEL = DEMO.resolve("intent-1.0.0.gguf");

    @TempDir
    Path dir;

    private FleetRepository repository;
    private Path model;

    @BeforeEach
    void init() throws Exception {
        repository = new FleetRepository(new FleetDirectory(dir.resolve("fleet")), Clock.systemUTC());
        assertThat(repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1")))
                .exists();
        model = dir.resolve("model.gguf");
        TinyModel.write(model, 1, TinyModel.Flaw.NONE);
    }

    private static JsonNode json(Path file) throws Exception {
        return Json.read(Files.readAllBytes(file), 1 << 20).orThrow();
    }

    private static ArrayNode none() {
        return Json.object().putArray("canaries");
    }

    private Publication publication(String name, Path file, JsonNode template, JsonNode canaries) {
        return new Publication(
                name,
                "1.0.0",
                file,
                Optional.empty(),
                template,
                canaries,
                List.of(),
                Optional.empty(),
                0.9,
                Optional.empty(),
                0.002,
                Duration.ofMinutes(5),
                Optional.empty());
    }

    private Publication publication(Path file, JsonNode template) {
        return publication("tiny", file, template, none());
    }

    private static JsonNode template() {
        return TinyStore.node(TinyStore.TEMPLATE);
    }

    /** Refused with this code, with nothing signed and nothing kept. */
    private void refused(String code, Publication publication) throws Exception {
        assertThatThrownBy(() -> publication.publish(repository)).as(code).hasMessageStartingWith(code);
        assertThat(repository.targets()).isEmpty();
        try (Stream<Path> blobs = Files.list(repository.directory().blobs())) {
            assertThat(blobs).isEmpty();
        }
    }

    @Test
    void aSoundModelIsPublishedWithWhatItsGateFoundAndTheMemoryThatItNeeds() throws Exception {
        Publication.Published done = publication(
                        "intent", MODEL, json(DEMO.resolve("template.json")), json(DEMO.resolve("canaries-1.0.0.json")))
                .publish(repository);
        assertThat(done.checks())
                .extracting(GateReport.Check::name)
                .containsExactly("digest", "weights", "tokenizer", "load-time", "reference", "canary");
        ModelTarget signed = repository.release("intent", "1.0.0").model();
        assertThat(signed.memoryBytes()).isEqualTo(done.memoryBytes()).isGreaterThan(Files.size(MODEL));
        assertThat(signed.gate().has("reference")).isTrue();
        assertThat(Sha256.ofFile(repository.directory().blob(done.digest()))).isEqualTo(Sha256.ofFile(MODEL));
    }

    @Test
    void aFileThatIsNoModelIsRefused() throws Exception {
        refused("GGUF-FORMAT", publication(Path.of("/etc/passwd"), template()));
        refused("GGUF-FORMAT", publication(Files.createFile(dir.resolve("empty")), template()));
        refused("FLT-ABSENT", publication(dir, template()));
        refused("FLT-ABSENT", publication(dir.resolve("gone"), template()));
        refused("FLT-ABSENT", publication(Path.of("/dev/zero"), template()));
    }

    @Test
    void whatTheGateOfADeviceRefusesIsRefused() throws Exception {
        for (TinyModel.Flaw flaw : List.of(TinyModel.Flaw.NAN, TinyModel.Flaw.INFINITE_SCALE, TinyModel.Flaw.ZERO)) {
            Path flawed = dir.resolve(flaw + ".gguf");
            TinyModel.write(flawed, 1, flaw);
            refused("GATE-WEIGHTS", publication(flawed, template()));
        }
        ArrayNode canaries = none();
        canaries.addObject().put("prompt", "the light").put("expect", "what this model does not say");
        refused("GATE-CANARY", publication("tiny", model, template(), canaries));
        canaries.removeAll();
        canaries.addObject().put("prompt", "the light").put("expects", "");
        refused("WIRE-FIELD", publication("tiny", model, template(), canaries));
    }

    @Test
    void aTemplateThatDevicesDoNotReadOrBindIsRefused() throws Exception {
        ObjectNode unknown = template().deepCopy();
        refused("WIRE-FIELD", publication(model, unknown.put("jinja", "{{ evil }}")));
        ObjectNode pieces = template().deepCopy();
        pieces.putArray("stop").add("<|nowhere|>");
        refused("GGUF-UNSUPPORTED", publication(model, pieces));
        ObjectNode huge = template().deepCopy();
        refused("WIRE-FIELD", publication(model, huge.put("generation", "x".repeat(1_000_000))));
        ObjectNode many = template().deepCopy();
        for (int i = 0; i < 30_000; i++) {
            many.withArray("stop").add("</s>");
        }
        refused("WIRE-FIELD", publication(model, many));
    }

    @Test
    void aModelThatTheDevicesHaveNoRoomForIsRefused() throws Exception {
        Publication fits = publication(model, template());
        Publication small = new Publication(
                "tiny",
                "1.0.0",
                model,
                Optional.empty(),
                template(),
                none(),
                List.of(),
                Optional.empty(),
                0.9,
                Optional.empty(),
                0.002,
                fits.maxLoad(),
                Optional.of(Files.size(model)));
        refused("INS-MEMORY", small);
        assertThat(fits.publish(repository).memoryBytes()).isGreaterThan(Files.size(model));
    }

    @Test
    void aModelThatIsNoFasterThanAllowedIsRefused() throws Exception {
        refused(
                "GATE-LOAD-TIME",
                new Publication(
                        "tiny",
                        "1.0.0",
                        model,
                        Optional.empty(),
                        template(),
                        none(),
                        List.of(),
                        Optional.empty(),
                        0.9,
                        Optional.empty(),
                        0.002,
                        Duration.ofMillis(1),
                        Optional.empty()));
    }

    @Test
    void otherBytesThanADigestSaysAreRefused() throws Exception {
        refused(
                "IMG-DIGEST",
                new Publication(
                        "tiny",
                        "1.0.0",
                        model,
                        Optional.of(Sha256.of(new byte[1])),
                        template(),
                        none(),
                        List.of(),
                        Optional.empty(),
                        0.9,
                        Optional.empty(),
                        0.002,
                        Publication.MAX_LOAD,
                        Optional.empty()));
    }

    // --- heads that lie ---

    /** A file of many gigabytes whose head says so, without that much behind it; and one that has the length and lies otherwise. */
    @Test
    void aHeadThatLiesIsRefusedBeforeTheFileIsCopied() throws Exception {
        byte[] whole = Files.readAllBytes(model);
        for (int cut : List.of(4, 24, 100, whole.length / 2, whole.length - 1)) {
            Path short_ = Files.write(dir.resolve("short.gguf"), java.util.Arrays.copyOf(whole, cut));
            assertThatThrownBy(() -> publication(short_, template()).publish(repository))
                    .as(cut + " bytes")
                    .hasMessageStartingWith("GGUF-");
        }
        for (long lie : List.of(-1L, Long.MAX_VALUE, 10_000_000L)) {
            for (int at : List.of(8, 16)) {
                byte[] lying = whole.clone();
                ByteBuffer.wrap(lying).order(ByteOrder.LITTLE_ENDIAN).putLong(at, lie);
                refused("GGUF-", publication(Files.write(dir.resolve("lying.gguf"), lying), template()));
            }
        }
        // A sparse file of 64 GiB: copying it would fill the disk.
        Path sparse = Files.write(dir.resolve("sparse.gguf"), new byte[] {'G', 'G', 'U', 'F', 3, 0, 0, 0});
        try (FileChannel channel = FileChannel.open(sparse, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), 64L << 30);
        }
        refused("GGUF-", publication(sparse, template()));
    }

    @Test
    void tenThousandTensorsAreRefusedInLittleTime() throws Exception {
        Path many = dir.resolve("many.gguf");
        manyTensors(many, 10_000);
        long started = System.nanoTime();
        refused("GGUF-", publication(many, template()));
        assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(Duration.ofSeconds(10));
    }

    private static void manyTensors(Path file, int count) throws IOException {
        GgufWriter writer = new GgufWriter().put("general.architecture", "llama");
        for (int i = 0; i < count; i++) {
            writer.tensor("t" + i, GgmlType.F32, (RowSource) (row, into) -> into[0] = 1, 1);
        }
        writer.write(file);
    }

    @Test
    void refusesNamesOfModelsThatNoDeviceTakes() {
        for (String name : List.of("", ".tiny", "ti/ny", "ti@ny", "x".repeat(65), ModelName.UNKNOWN)) {
            assertThatThrownBy(
                            () -> publication(name, model, template(), none()).publish(repository))
                    .hasMessageContaining("CFG-INVALID");
        }
        assertThat(ModelName.isName("tiny.q4")).as("models may have dots").isTrue();
    }
}
