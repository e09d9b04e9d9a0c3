package dev.holdfast.engine.gate;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.LoadedModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.KernelPool;
import dev.holdfast.engine.kernels.ScalarKernels;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufReader;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The trained demo model, and copies with damaged weights, before a gate with signed reference values and no say of canaries. */
class GateReferenceTest {
    private static final Path DEMO = Path.of("../../demo");
    private static final int MAX_BYTES = 1 << 20;
    private static final int BLOCK = 34;
    /** What the command publishes with unless told otherwise. */
    private static final double LIMIT = 0.002;

    @TempDir
    Path folder;

    private JsonNode template = Json.object();
    private GateRules canaries = rules(Json.object());

    @BeforeEach
    void readDemo() throws Exception {
        template = json("template.json");
        ObjectNode gate = Json.object();
        gate.set("canaries", json("canaries-1.0.0.json"));
        canaries = rules(gate);
    }

    private static GateRules rules(ObjectNode gate) {
        gate.withArray("canaries");
        return switch (GateRules.read(gate)) {
            case Verdict.Accepted<GateRules>(GateRules rules) -> rules;
            case Verdict.Rejected<GateRules> rejected -> throw new AssertionError(rejected.reason());
        };
    }

    private static JsonNode json(String name) throws Exception {
        return Json.read(Files.readAllBytes(DEMO.resolve(name)), MAX_BYTES).orThrow();
    }

    private GateReference reference(Path model) throws Exception {
        return ReferenceEvaluator.of(model, ChatTemplate.read(template).orThrow(), canaries.canaries(), LIMIT)
                .orThrow();
    }

    private GateReport gate(byte[] model, JsonNode reference) throws Exception {
        TinyStore store = new TinyStore(folder);
        ObjectNode slot = store.add("1.0.0", model);
        slot.set("template", template);
        ObjectNode gate = Json.object();
        gate.set("reference", reference);
        gate.putArray("canaries");
        slot.set("gate", gate);
        HealthGate.Settings settings = new HealthGate.Settings(256, 1, CacheType.DEFAULT);
        try (Workers workers = Workers.of(1)) {
            Slot signed = Slot.read(slot).orThrow();
            return new HealthGate(signed, store.blobs().resolve(signed.digest().hex()), settings, workers).check();
        }
    }

    @Test
    void aSoundModelIsWithinItsOwnReference() throws Exception {
        Path model = DEMO.resolve("intent-1.0.0.gguf");
        GateReference reference = reference(model);
        assertThat(reference.distributions()).isGreaterThan(40);
        GateReport report = gate(Files.readAllBytes(model), reference.toJson());
        assertThat(report.failure()).as(report.toString()).isEmpty();
        assertThat(report.checks()).anyMatch(check -> check.name().equals("reference") && check.passed());
    }

    /** Another way to add up the same numbers, as on another machine. */
    @Test
    void otherKernelsMoveAModelFarLessThanTheLimit() throws Exception {
        GateReference reference = reference(DEMO.resolve("intent-1.0.0.gguf"));
        Workers plain = new Workers(new ScalarKernels(), new KernelPool(1));
        try (LoadedModel model = LoadedModel.load(DEMO.resolve("intent-1.0.0.gguf"), plain, 256, CacheType.F32)
                .orThrow()) {
            double divergence = ReferenceEvaluator.divergence(model.decoder().orThrow(), model.newSequence(), reference)
                    .orThrow();
            System.out.printf("scalar kernels: %.9f nats from the vector kernels' reference%n", divergence);
            assertThat(Math.abs(divergence)).isLessThan(LIMIT / 100);
        } finally {
            plain.close();
        }
    }

    /** What happens to the weights of one matrix. */
    enum Damage {
        /** Each scale times two. */
        SCALES {
            @Override
            void block(MemorySegment block) {
                short scale = block.get(ValueLayout.JAVA_SHORT_UNALIGNED, 0);
                block.set(ValueLayout.JAVA_SHORT_UNALIGNED, 0, (short) (scale + 0x400));
            }
        },
        /** Neighbouring weights exchanged. */
        ORDER {
            @Override
            void block(MemorySegment block) {
                for (int i = 2; i < BLOCK; i += 2) {
                    byte first = block.get(ValueLayout.JAVA_BYTE, i);
                    block.set(ValueLayout.JAVA_BYTE, i, block.get(ValueLayout.JAVA_BYTE, i + 1));
                    block.set(ValueLayout.JAVA_BYTE, i + 1, first);
                }
            }
        },
        /** Signs turned. */
        SIGNS {
            @Override
            void block(MemorySegment block) {
                for (int i = 2; i < BLOCK; i++) {
                    block.set(ValueLayout.JAVA_BYTE, i, (byte) -block.get(ValueLayout.JAVA_BYTE, i));
                }
            }
        },
        /** Only two bits of each weight left. */
        COARSE {
            @Override
            void block(MemorySegment block) {
                for (int i = 2; i < BLOCK; i++) {
                    block.set(ValueLayout.JAVA_BYTE, i, (byte) (block.get(ValueLayout.JAVA_BYTE, i) & 0xc0));
                }
            }
        };

        abstract void block(MemorySegment block);
    }

    private static byte[] damaged(String tensor, Consumer<MemorySegment> damage) throws Exception {
        byte[] bytes = Files.readAllBytes(DEMO.resolve("intent-1.0.0.gguf"));
        MemorySegment file = MemorySegment.ofArray(bytes);
        GgufTensor found = GgufReader.read(file).orThrow().tensor(tensor).orElseThrow();
        assertThat(found.type()).isEqualTo(GgmlType.Q8_0);
        for (long at = 0; at < found.byteLength(); at += BLOCK) {
            damage.accept(file.asSlice(found.offset() + at, BLOCK));
        }
        return bytes;
    }

    @ParameterizedTest
    @EnumSource
    void aModelWithOneDamagedMatrixIsRefused(Damage damage) throws Exception {
        JsonNode reference = reference(DEMO.resolve("intent-1.0.0.gguf")).toJson();
        for (String tensor : new String[] {"blk.0.attn_v.weight", "blk.1.ffn_down.weight"}) {
            GateReport report = gate(damaged(tensor, damage::block), reference);
            System.out.println(damage + " " + tensor + ": " + report.checks().getLast());
            assertThat(report.failure().orElseThrow().code())
                    .as(tensor + " " + report)
                    .isEqualTo(Code.GATE_REFERENCE);
        }
    }

    @Test
    void anotherModelUnderTheSameTokensIsRefused() throws Exception {
        JsonNode reference = reference(DEMO.resolve("intent-1.0.0.gguf")).toJson();
        GateReport report = gate(Files.readAllBytes(DEMO.resolve("intent-2.0.0.gguf")), reference);
        assertThat(report.failure().orElseThrow().code()).as(report.toString()).isEqualTo(Code.GATE_REFERENCE);
    }

    @Test
    void aReferenceOfTokensThatTheModelLacksIsRefused() throws Exception {
        JsonNode reference = reference(DEMO.resolve("intent-1.0.0.gguf")).toJson();
        ArrayNode tokens = (ArrayNode) reference.get("passages").get(0).get("tokens");
        tokens.set(1, 5_000_000);
        GateReport report = gate(Files.readAllBytes(DEMO.resolve("intent-1.0.0.gguf")), reference);
        assertThat(report.failure().orElseThrow().code()).isEqualTo(Code.GATE_REFERENCE);
    }

    @Test
    void aReferenceThatIsNoSetOfDistributionsIsNotRead() throws Exception {
        String good = new String(
                Json.write(reference(DEMO.resolve("intent-1.0.0.gguf")).toJson()), StandardCharsets.UTF_8);
        assertThat(GateReference.read(TinyStore.node(good)).isAccepted()).isTrue();
        for (String[] change : new String[][] {
            {"\"maxMeanDivergence\":0.002", "\"maxMeanDivergence\":-1"},
            {"\"maxMeanDivergence\":0.002", "\"more\":0.002"},
            {"\"position\":", "\"position\":-"},
            {"\"position\":", "\"position\":4096"},
            {"\"microNats\":[", "\"microNats\":[0,"},
            {"\"microNats\":[", "\"microNats\":[-"},
            {"\"expected\":[", "\"expected\":[{},"},
            {"\"passages\":[", "\"passages\":[[],"},
            {"\"passages\":[", "\"passages\":0,\"was\":["}
        }) {
            String bad = good.replaceFirst(Pattern.quote(change[0]), change[1]);
            assertThat(bad).isNotEqualTo(good);
            assertThat(GateReference.read(TinyStore.node(bad)))
                    .as(change[1])
                    .isInstanceOfSatisfying(
                            Verdict.Rejected.class,
                            rejected -> assertThat(rejected.reason().code()).isEqualTo(Code.WIRE_FIELD));
        }
    }
}
