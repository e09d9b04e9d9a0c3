package dev.holdfast.control;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Every message reads as what was written, and what is out of bounds is refused. */
class MessagesTest {
    static final Sha256 DIGEST = Sha256.of("model".getBytes(StandardCharsets.UTF_8));
    static final Binary NONCE = Binary.copyOf(new byte[] {1, 2, 3, 4, 5, 6, 7, 8});

    static Slot slot(String version) {
        return new Slot(
                "models/intent/" + version + "/model.gguf",
                "intent",
                version,
                3,
                1,
                DIGEST,
                10,
                Json.object().put("bos", 1),
                Json.object().put("minPassRatio", 0.9));
    }

    static final InferenceStatus STATUS = new InferenceStatus(
            Optional.of(new InferenceStatus.Loaded("intent", "1.0.0", DIGEST, Optional.of(DIGEST))),
            Optional.of(new InferenceStatus.Loaded("intent", "2.0.0", DIGEST, Optional.empty())),
            1,
            2,
            3,
            4);

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
        Flip flip = new Flip(7, Optional.of(DIGEST));
        assertReadsBack(flip, Flip.read(flip.toJson()));
        LogLines lines = new LogLines(List.of("one", "two"));
        assertReadsBack(lines, LogLines.read(lines.toJson()));
        Challenges challenges = new Challenges(List.of(NONCE));
        assertReadsBack(challenges, Challenges.read(challenges.toJson()));
        ChallengeReply evidence = new ChallengeReply(NONCE, Verdict.accepted(NONCE));
        assertReadsBack(evidence, ChallengeReply.read(evidence.toJson()));
        ChallengeReply refusal = new ChallengeReply(NONCE, Verdict.rejected(Code.API_BUSY, "later"));
        assertReadsBack(refusal, ChallengeReply.read(refusal.toJson()));
        DigestRequest digest = new DigestRequest(DIGEST);
        assertReadsBack(digest, DigestRequest.read(digest.toJson()));
        ReasonRequest reason = new ReasonRequest("why");
        assertReadsBack(reason, ReasonRequest.read(Json.write(reason.toJson())));
        Pointer pointer = new Pointer(slot("2.0.0"), Optional.of(slot("1.0.0")));
        assertReadsBack(pointer, Pointer.read(Json.write(pointer.toJson())));
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
                .isEqualTo(Code.GATE_LOAD);
    }

    @Test
    void aPointerWithADamagedSlotStillNamesTheOther() throws Exception {
        ObjectNode json = new Pointer(slot("2.0.0"), Optional.of(slot("1.0.0"))).toJson();
        json.withObject("/serving").put("digest", "not hexadecimal");
        assertThat(Pointer.read(Json.write(json)).isAccepted()).isFalse();
        Pointer.Readable readable = Pointer.readable(Json.write(json)).orThrow();
        assertThat(readable.slots()).containsExactly(slot("1.0.0"));
        assertThat(readable.damage()).hasSize(1);
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
