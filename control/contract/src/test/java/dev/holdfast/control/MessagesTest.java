package dev.holdfast.control;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Every message reads as what was written, and what is out of bounds is refused. */
class MessagesTest {
    static final Sha256 DIGEST = Sha256.of("model".getBytes(StandardCharsets.UTF_8));
    static final Binary NONCE = Binary.copyOf(new byte[] {1, 2, 3, 4, 5, 6, 7, 8});

    static Slot slot(String version) {
        return slot("intent", version);
    }

    static Slot slot(String model, String version) {
        return new Slot(
                "models/" + model + "/" + version + "/model.gguf",
                model,
                version,
                3,
                1,
                DIGEST,
                10,
                4096,
                Json.object().put("bos", 1),
                Json.object().put("minPassRatio", 0.9));
    }

    static final InferenceStatus STATUS = new InferenceStatus(
            Optional.of("intent"),
            List.of(loaded(slot("embed", "1.0.0"), Optional.of(DIGEST)), loaded(slot("1.0.0"), Optional.of(DIGEST))),
            List.of(loaded(slot("2.0.0"), Optional.empty())),
            List.of(loaded(slot("0.9.0"), Optional.of(DIGEST)), loaded(slot("0.8.0"), Optional.empty())),
            1,
            2,
            new InferenceStatus.Memory(5, 6),
            new InferenceStatus.Process(3, 4));

    static final Pointer POINTER = new Pointer(
            Optional.of("intent"),
            new TreeMap<>(Map.of(
                    "intent",
                    new PointerEntry(
                            slot("2.0.0"),
                            Optional.of(slot("1.0.0")),
                            List.of(new Pointer.Grace(slot("1.5.0"), 1_800_000_000L)),
                            Optional.of("embed"),
                            List.of(slot("tone", "1.0.0"))),
                    "embed",
                    new PointerEntry(slot("embed", "1.0.0"), Optional.empty()))),
            Optional.of(new Pointer.Lease(86_400)));

    /** What a device wrote that knew one model. */
    static ObjectNode pointerOfOneModel() {
        ObjectNode json = Json.object().put("format", 1);
        json.set("serving", slot("2.0.0").toJson());
        json.set("fallback", slot("1.0.0").toJson());
        return json;
    }

    private static InferenceStatus.Loaded loaded(Slot slot, Optional<Sha256> tokenizer) {
        return new InferenceStatus.Loaded(slot.model(), slot.version(), slot.slotId(), slot.digest(), tokenizer);
    }

    static final ServingSet SERVING = new ServingSet(
            Optional.of("intent"),
            new TreeSet<>(List.of("embed", "intent")),
            Map.of(slot("0.9.0").slotId(), 1_800_000_000L),
            Map.of("intent", "embed"));

    static final GateReport REPORT = new GateReport(
            Optional.of(new Rejection(Code.GATE_CANARY, "1 of 20")),
            12,
            List.of(new GateReport.Check("digest", true, ""), new GateReport.Check("canary", false, "1 of 20")));

    private static <T> void assertReadsBack(T message, Verdict<T> read) {
        assertThat(read).isEqualTo(Verdict.accepted(message));
    }

    @Test
    void everyMessageReadsAsWhatWasWritten() {
        assertReadsBack(slot("1.0.0"), Slot.read(slot("1.0.0").toJson()));
        assertReadsBack(STATUS, InferenceStatus.read(STATUS.toJson()));
        assertReadsBack(REPORT, GateReport.read(REPORT.toJson()));
        Flip flip = new Flip(7, Optional.of(slot("1.0.0").slotId()));
        assertReadsBack(flip, Flip.read(flip.toJson()));
        LogLines lines = new LogLines(List.of("one", "two"));
        assertReadsBack(lines, LogLines.read(lines.toJson()));
        Challenges challenges = new Challenges(List.of(NONCE));
        assertReadsBack(challenges, Challenges.read(challenges.toJson()));
        ChallengeReply evidence = new ChallengeReply(NONCE, Verdict.accepted(NONCE));
        assertReadsBack(evidence, ChallengeReply.read(evidence.toJson()));
        ChallengeReply refusal = new ChallengeReply(NONCE, Verdict.rejected(Code.API_BUSY, "later"));
        assertReadsBack(refusal, ChallengeReply.read(refusal.toJson()));
        SlotRequest slot = new SlotRequest(slot("1.0.0").slotId());
        assertReadsBack(slot, SlotRequest.read(slot.toJson()));
        assertReadsBack(SERVING, ServingSet.read(SERVING.toJson()));
        ServingSet nothing = new ServingSet(Optional.empty(), List.of());
        assertReadsBack(nothing, ServingSet.read(nothing.toJson()));
        ReasonRequest reason = new ReasonRequest("why");
        assertReadsBack(reason, ReasonRequest.read(Json.write(reason.toJson())));
        assertReadsBack(POINTER, Pointer.read(Json.write(POINTER.toJson())));
        assertReadsBack(Pointer.NOTHING, Pointer.read(Json.write(Pointer.NOTHING.toJson())));
    }

    @Test
    void refusesNamesThatAreTooLong() {
        ObjectNode json = slot("1.0.0").toJson().put("model", "m".repeat(ModelName.MAX_CHARS));
        assertThat(Slot.read(json).isAccepted()).isTrue();
        assertThat(Slot.read(json.put("model", "m".repeat(ModelName.MAX_CHARS + 1)))
                        .isAccepted())
                .isFalse();
        ObjectNode target = slot("1.0.0").toJson().put("target", "t".repeat(ModelName.MAX_TARGET_CHARS + 1));
        assertThat(Slot.read(target).isAccepted()).isFalse();
    }

    @Test
    void refusesListsThatAreTooLong() {
        ObjectNode checks = REPORT.toJson();
        checks.putArray("checks").addAll(Collections.nCopies(65, REPORT.toJson().at("/checks/0")));
        assertThat(GateReport.read(checks).isAccepted()).isFalse();
        ObjectNode nonces = Json.object();
        Collections.nCopies(Challenges.MAX_NONCES + 1, NONCE.hex()).forEach(nonces.putArray("nonces")::add);
        assertThat(Challenges.read(nonces).isAccepted()).isFalse();
        ObjectNode lines = Json.object();
        Collections.nCopies(257, "line").forEach(lines.putArray("lines")::add);
        assertThat(LogLines.read(lines).isAccepted()).isFalse();
        ObjectNode names = Json.object();
        for (int i = 0; i <= ModelName.MAX_MODELS; i++) {
            names.withArray("models").add("m" + i);
        }
        assertThat(ServingSet.read(names).isAccepted()).isFalse();
        names.withArray("models").remove(0);
        assertThat(ServingSet.read(names).isAccepted()).isTrue();
    }

    @Test
    void aStatusNamesEachModelOnceAndAtMostSixteen() {
        ObjectNode twice = STATUS.toJson();
        twice.withArray("serving").add(twice.at("/serving/0").deepCopy());
        assertThat(InferenceStatus.read(twice).isAccepted()).isFalse();
        ObjectNode many = STATUS.toJson();
        many.putArray("candidates");
        for (int i = 0; i <= ModelName.MAX_MODELS; i++) {
            ObjectNode one = STATUS.toJson().withObject("/candidates/0").put("model", "m" + i);
            many.withArray("candidates").add(one);
        }
        assertThat(InferenceStatus.read(many).isAccepted()).isFalse();
        many.withArray("candidates").remove(0);
        assertThat(InferenceStatus.read(many).isAccepted()).isTrue();
    }

    @Test
    void aStatusNamesEachReleaseInItsGraceOnceAndAtMostSixteen() {
        ObjectNode twice = STATUS.toJson();
        twice.withArray("grace").add(twice.at("/grace/0").deepCopy());
        assertThat(InferenceStatus.read(twice).isAccepted()).isFalse();
        ObjectNode many = STATUS.toJson();
        many.putArray("grace");
        for (int i = 0; i <= ModelName.MAX_GRACED; i++) {
            SlotId slot = slot("0." + i).slotId();
            many.withArray("grace").add(STATUS.toJson().withObject("/grace/0").put("slot", slot.hex()));
        }
        assertThat(InferenceStatus.read(many).isAccepted()).isFalse();
        many.withArray("grace").remove(0);
        assertThat(InferenceStatus.read(many).isAccepted()).isTrue();
        many.remove("grace");
        assertThat(InferenceStatus.read(many).isAccepted())
                .as("a process of before")
                .isTrue();
    }

    @Test
    void aSetNamesAtMostSixteenReleasesInTheirGraceAndEachHasATime() {
        ObjectNode many = SERVING.toJson();
        many.putArray("grace");
        for (int i = 0; i <= ModelName.MAX_GRACED; i++) {
            many.withArray("grace")
                    .addObject()
                    .put("slot", slot("0." + i).slotId().hex())
                    .put("until", 1);
        }
        assertThat(ServingSet.read(many).isAccepted()).isFalse();
        many.withArray("grace").remove(0);
        assertThat(ServingSet.read(many).isAccepted()).isTrue();
        ((ObjectNode) many.at("/grace/0")).put("until", -1);
        assertThat(ServingSet.read(many).isAccepted()).isFalse();
        ((ObjectNode) many.at("/grace/0")).put("until", Long.MAX_VALUE);
        assertThat(ServingSet.read(many).isAccepted()).as("no time").isFalse();
        many.remove("grace");
        assertThat(ServingSet.read(many).isAccepted()).as("an agent of before").isTrue();
    }

    @Test
    void aReleaseInItsGraceThatDoesNotReadOrIsOfAnotherModelIsDamage() throws Exception {
        ObjectNode json = POINTER.toJson();
        ((ObjectNode) json.at("/models/intent/grace/0")).put("until", -1);
        assertThat(Pointer.read(Json.write(json)).isAccepted()).isFalse();
        Pointer.Readable readable = Pointer.readable(Json.write(json)).orThrow();
        assertThat(readable.models()).containsOnlyKeys("embed", "intent");
        assertThat(readable.grace()).isEmpty();
        assertThat(readable.damage()).singleElement().asString().startsWith("intent grace: ");
        ObjectNode other = POINTER.toJson();
        ((ObjectNode) other.at("/models/intent/grace/0"))
                .set("slot", slot("embed", "0.9.0").toJson());
        assertThat(Pointer.read(Json.write(other)).isAccepted()).isFalse();
        assertThat(Pointer.readable(Json.write(other)).orThrow().damage()).containsExactly("intent grace: is of embed");
        assertThat(Pointer.readable(Json.write(POINTER.toJson())).orThrow().grace())
                .containsExactly(new Pointer.Grace(slot("1.5.0"), 1_800_000_000L));
    }

    @Test
    void aStatusIsAskedBySlotAndByName() {
        assertThat(STATUS.serves(slot("1.0.0").slotId())).isTrue();
        assertThat(STATUS.serves(slot("2.0.0").slotId())).isFalse();
        assertThat(STATUS.holds(slot("2.0.0").slotId())).isTrue();
        assertThat(STATUS.serving("embed").orElseThrow().slot())
                .isEqualTo(slot("embed", "1.0.0").slotId());
        assertThat(STATUS.serving("other")).isEmpty();
        assertThat(STATUS.loaded(slot("2.0.0").slotId()).orElseThrow().version())
                .isEqualTo("2.0.0");
        assertThat(STATUS.graces(slot("0.9.0").slotId())).isTrue();
        assertThat(STATUS.graces(slot("2.0.0").slotId())).isFalse();
        assertThat(STATUS.loaded(slot("0.9.0").slotId()).orElseThrow().version())
                .isEqualTo("0.9.0");
    }

    @Test
    void theSameBytesWithAnotherTemplateGateReleaseOrEpochAreAnotherSlot() throws Exception {
        SlotId known = slot("1.0.0").slotId();
        ObjectNode json = slot("1.0.0").toJson();
        assertThat(Slot.read(json).orThrow().slotId()).isEqualTo(known);
        assertThat(Slot.read(json.deepCopy().put("release", 4)).orThrow().slotId())
                .isNotEqualTo(known);
        assertThat(Slot.read(json.deepCopy().put("epoch", 2)).orThrow().slotId())
                .isNotEqualTo(known);
        for (String block : List.of("template", "gate")) {
            ObjectNode other = json.deepCopy();
            other.withObject("/" + block).put("new", true);
            assertThat(Slot.read(other).orThrow().slotId()).as(block).isNotEqualTo(known);
        }
        // What is told to people and to the budget does not change what serves.
        assertThat(Slot.read(json.deepCopy().put("memoryBytes", 1)).orThrow().slotId())
                .isEqualTo(known);
    }

    @Test
    void refusesNoncesThatEvidenceCouldNotCarry() {
        assertThat(Challenges.nonce("01".repeat(7)).isAccepted()).isFalse();
        assertThat(Challenges.nonce("01".repeat(8)).isAccepted()).isTrue();
        assertThat(Challenges.nonce("01".repeat(64)).isAccepted()).isTrue();
        assertThat(Challenges.nonce("01".repeat(65)).isAccepted()).isFalse();
        assertThat(Challenges.nonce("0g".repeat(8)).isAccepted()).isFalse();
    }

    @Test
    void aLongDetailIsCutWhereItIsWritten() {
        GateReport wordy = new GateReport(
                Optional.of(new Rejection(Code.GATE_LOAD, "x".repeat(100_000))),
                1,
                List.of(new GateReport.Check("load", false, "y".repeat(100_000))));
        assertThat(Json.write(wordy.toJson()).length).isLessThan(10_000);
        assertThat(GateReport.read(wordy.toJson()).isAccepted()).isTrue();
    }

    @Test
    void aPassedGateWithACodeStillPassed() throws Exception {
        ObjectNode json = REPORT.toJson().put("passed", true);
        assertThat(GateReport.read(json).orThrow().passed()).isTrue();
        ObjectNode unknown = REPORT.toJson().put("code", "GATE-OF-TOMORROW");
        assertThat(GateReport.read(unknown).orThrow().failure().orElseThrow().code())
                .isEqualTo(Code.INS_CANDIDATE_LOST);
    }

    @Test
    void aPointerWithADamagedSlotStillNamesTheOthers() throws Exception {
        ObjectNode json = POINTER.toJson();
        json.withObject("/models/intent/serving").put("digest", "not hexadecimal");
        assertThat(Pointer.read(Json.write(json)).isAccepted()).isFalse();
        Pointer.Readable readable = Pointer.readable(Json.write(json)).orThrow();
        assertThat(readable.models())
                .isEqualTo(Map.of("intent", List.of(slot("1.0.0")), "embed", List.of(slot("embed", "1.0.0"))));
        assertThat(readable.byDefault()).contains("intent");
        assertThat(readable.damage()).hasSize(1).first().asString().startsWith("intent serving: ");
    }

    @Test
    void aModelOfWhichNothingReadsLeavesTheOthersAndIsToldOf() throws Exception {
        ObjectNode json = POINTER.toJson();
        json.withObject("/models").put("intent", 5).put("third", true);
        Pointer.Readable readable = Pointer.readable(Json.write(json)).orThrow();
        assertThat(readable.models()).containsOnlyKeys("embed");
        assertThat(readable.byDefault()).contains("embed");
        assertThat(readable.damage()).hasSize(2);
    }

    @Test
    void aSlotUnderAnotherNameIsDamage() throws Exception {
        ObjectNode serving = POINTER.toJson();
        serving.withObject("/models/embed").set("serving", slot("1.0.0").toJson());
        assertThat(Pointer.read(Json.write(serving)).isAccepted()).isFalse();
        Pointer.Readable readable = Pointer.readable(Json.write(serving)).orThrow();
        assertThat(readable.models()).containsOnlyKeys("intent");
        assertThat(readable.damage()).containsExactly("embed serving: is of intent");
        ObjectNode fallback = POINTER.toJson();
        fallback.withObject("/models/embed").set("fallback", slot("1.0.0").toJson());
        assertThat(Pointer.read(Json.write(fallback)).isAccepted()).isFalse();
    }

    @Test
    void aPointerOfOneModelIsReadAsItsDefault() throws Exception {
        Pointer expected = Pointer.NOTHING.with(new PointerEntry(slot("2.0.0"), Optional.of(slot("1.0.0"))));
        assertThat(expected.byDefault()).contains("intent");
        assertReadsBack(expected, Pointer.read(Json.write(pointerOfOneModel())));
        Pointer.Readable readable =
                Pointer.readable(Json.write(pointerOfOneModel())).orThrow();
        assertThat(readable.models()).isEqualTo(Map.of("intent", List.of(slot("2.0.0"), slot("1.0.0"))));
        assertThat(readable.byDefault()).contains("intent");

        // As it was written before slots said what memory they need.
        ObjectNode old = pointerOfOneModel().putNull("fallback");
        old.withObject("/serving").remove("memoryBytes");
        Pointer read = Pointer.read(Json.write(old)).orThrow();
        assertThat(read.serving("intent").orElseThrow().memoryBytes()).isZero();
        assertThat(read.serving("intent").orElseThrow().slotId())
                .isEqualTo(slot("2.0.0").slotId());
        assertThat(read.fallback("intent")).isEmpty();
    }

    @Test
    void aPointerOfALaterFormatOrOfTooManyModelsIsRefused() {
        assertThat(Pointer.read(Json.write(POINTER.toJson().put("format", 3))).isAccepted())
                .isFalse();
        ObjectNode many = Pointer.NOTHING.toJson();
        for (int i = 0; i <= ModelName.MAX_MODELS; i++) {
            many.withObject("/models")
                    .set("m" + i, new PointerEntry(slot("m" + i, "1.0.0"), Optional.empty()).toJson());
        }
        assertThat(Pointer.read(Json.write(many)).isAccepted()).isFalse();
        assertThat(Pointer.readable(Json.write(many)).isAccepted()).isFalse();
        many.withObject("/models").remove("m0");
        assertThat(Pointer.read(Json.write(many)).isAccepted()).isTrue();
    }

    @Test
    void theDefaultIsAModelInServiceOrTheFirstOfThem() throws Exception {
        ObjectNode strange = POINTER.toJson().put("default", "gone");
        assertThat(Pointer.read(Json.write(strange)).orThrow().byDefault()).contains("embed");
        assertThat(POINTER.withDefault("embed").byDefault()).contains("embed");
        assertThat(POINTER.withDefault("gone")).isEqualTo(POINTER);
        assertThat(POINTER.without("intent").byDefault()).contains("embed");
        assertThat(POINTER.without("embed").without("intent").byDefault()).isEmpty();
        assertThat(POINTER.slot(slot("1.5.0").slotId())).contains(slot("1.5.0"));
    }

    @Test
    void aReasonLosesItsControlCharactersAndMayBeAbsent() throws Exception {
        byte[] body = Json.write(Json.object().put("reason", "a\u001b[2Jb\n"));
        assertThat(ReasonRequest.read(body).orThrow().reason()).isEqualTo("a [2Jb");
        assertThat(ReasonRequest.read(new byte[0]).orThrow().reason()).isEmpty();
        byte[] wordy = Json.write(Json.object().put("reason", "x".repeat(201)));
        assertThat(ReasonRequest.read(wordy).isAccepted()).isFalse();
    }
}
