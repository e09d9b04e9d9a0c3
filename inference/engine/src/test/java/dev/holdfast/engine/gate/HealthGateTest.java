package dev.holdfast.engine.gate;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The gate as a publisher runs it: a file and what is to be signed of it, no store, no socket and no daemon. */
class HealthGateTest {
    private static final Path DEMO = Path.of("../../demo");
    private static final Path MODEL = DEMO.resolve("intent-1.0.0.gguf");
    private static final int MAX_BYTES = 1 << 20;

    @Test
    void aSoundModelPassesEveryCheckInOrder() throws Exception {
        GateReport report = check(slot(Sha256.of(Files.readAllBytes(MODEL)), gate()));
        assertThat(report.failure()).as(report.toString()).isEmpty();
        assertThat(report.checks())
                .extracting(GateReport.Check::name)
                .containsExactly("digest", "weights", "tokenizer", "load-time", "reference", "canary");
        assertThat(report.checks()).allMatch(GateReport.Check::passed);
    }

    @Test
    void aFileOfAnotherDigestIsRefusedBeforeItIsParsed() throws Exception {
        GateReport report = check(slot(Sha256.of(new byte[1]), gate()));
        assertThat(report.failure().orElseThrow().code()).isEqualTo(Code.GATE_DIGEST);
        assertThat(report.checks()).extracting(GateReport.Check::name).containsExactly("digest");
    }

    @Test
    void anAnswerThatTheModelDoesNotGiveIsRefusedLast() throws Exception {
        ObjectNode gate = gate();
        for (JsonNode canary : gate.get("canaries")) {
            ((ObjectNode) canary).put("expect", "{}");
        }
        GateReport report = check(slot(Sha256.of(Files.readAllBytes(MODEL)), gate));
        assertThat(report.failure().orElseThrow().code()).isEqualTo(Code.GATE_CANARY);
        assertThat(report.checks().getLast().name()).isEqualTo("canary");
    }

    @Test
    void aModelThatThereIsNoRoomForIsRefusedBeforeItIsLoaded() throws Exception {
        List<MemoryNeeds> asked = new ArrayList<>();
        HealthGate.Admission full = needs -> {
            asked.add(needs);
            return Verdict.rejected(Code.INS_MEMORY, "full");
        };
        try (Workers workers = Workers.of(1)) {
            HealthGate.Settings settings = new HealthGate.Settings(256, 3, CacheType.DEFAULT);
            Slot sound = slot(Sha256.of(Files.readAllBytes(MODEL)), gate());
            HealthGate.Result result = new HealthGate(sound, MODEL, settings, workers).run(true, full);
            assertThat(result.model()).isNull();
            assertThat(result.report().failure().orElseThrow().code()).isEqualTo(Code.INS_MEMORY);
            assertThat(result.report().checks())
                    .extracting(GateReport.Check::name)
                    .containsExactly("digest");
            assertThat(asked)
                    .containsExactly(
                            MemoryNeeds.of(MODEL, 256, 3, CacheType.DEFAULT).orThrow());

            Slot other = slot(Sha256.of(new byte[1]), gate());
            HealthGate.Result unasked = new HealthGate(other, MODEL, settings, workers).run(true, full);
            assertThat(unasked.report().failure().orElseThrow().code()).isEqualTo(Code.GATE_DIGEST);
            assertThat(asked).as("no parser sees other bytes").hasSize(1);
        }
    }

    /** Neither is a judgement on the model. */
    @Test
    void memoryThatIsShortAndPagesThatCannotBeReadAreToldAsSuch() throws Exception {
        assertThat(failsWith(new OutOfMemoryError("heap"))).isEqualTo(Code.INS_MEMORY);
        assertThat(failsWith(new InternalError("a fault in an unsafe memory access")))
                .isEqualTo(Code.INS_STORAGE);
    }

    private static Code failsWith(VirtualMachineError fault) throws Exception {
        try (Workers workers = Workers.of(1)) {
            HealthGate.Settings settings = new HealthGate.Settings(256, 1, CacheType.DEFAULT);
            Slot sound = slot(Sha256.of(Files.readAllBytes(MODEL)), gate());
            HealthGate.Result result = new HealthGate(sound, MODEL, settings, workers).run(true, needs -> {
                throw fault;
            });
            assertThat(result.model()).isNull();
            return result.report().failure().orElseThrow().code();
        }
    }

    private static GateReport check(Slot slot) {
        try (Workers workers = Workers.of(1)) {
            HealthGate.Settings settings = new HealthGate.Settings(256, 1, CacheType.DEFAULT);
            return new HealthGate(slot, MODEL, settings, workers).check();
        }
    }

    private static Slot slot(Sha256 digest, JsonNode gate) throws Exception {
        return new Slot(
                "models/intent/1.0.0/model.gguf",
                "intent",
                "1.0.0",
                1,
                1,
                digest,
                Files.size(MODEL),
                0,
                json("template.json"),
                gate);
    }

    /** The demo's canaries, and what the model itself expects over them. */
    private static ObjectNode gate() throws Exception {
        ObjectNode gate = Json.object();
        gate.set("canaries", json("canaries-1.0.0.json"));
        ChatTemplate template = ChatTemplate.read(json("template.json")).orThrow();
        GateRules rules = GateRules.read(gate).orThrow();
        GateReference reference =
                ReferenceEvaluator.of(MODEL, template, rules.canaries(), 0.002).orThrow();
        gate.set("reference", reference.toJson());
        return gate;
    }

    private static JsonNode json(String name) throws Exception {
        return Json.read(Files.readAllBytes(DEMO.resolve(name)), MAX_BYTES).orThrow();
    }
}
