package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.DeviceMemory;
import dev.holdfast.attestation.verify.DeviceTime;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.EvidenceVerifier.Asked;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Somebody with root puts an old state of the device back, and makes its counters anew: the device believes itself and says that all
 * is well, with a genuine TPM. Only who remembers what it said before can tell.
 */
class RememberedFloorsTest extends EvidenceFixture {
    private static final Instant NOW = Instant.parse("2026-11-29T12:00:00Z");

    private @Nullable Swtpm swtpm;
    /** The device's state: what its record says. */
    private Map<String, Long> state = Map.of();

    @Override
    TeeBridge openBridge() throws Exception {
        swtpm = Swtpm.start(temp);
        return Tpm2Bridge.open(swtpm.address());
    }

    @Override
    TeeBridge reboot() throws Exception {
        Objects.requireNonNull(swtpm).powerCut();
        return Tpm2Bridge.open(Objects.requireNonNull(swtpm).address());
    }

    @Override
    Assurance assurance() {
        return Assurance.EMULATED;
    }

    @BeforeEach
    void stateful() throws Exception {
        attester = new Attester(
                bridge,
                log,
                new Attester.Surroundings(
                        "holdfast",
                        "0.1.0",
                        () -> Map.of("seccomp", "on"),
                        Models.as(log),
                        () -> new TreeMap<>(state),
                        PlatformLogs.none()));
    }

    @AfterEach
    void stop() {
        if (swtpm != null) {
            swtpm.close();
        }
    }

    private byte[] evidence(Map<String, Long> floors) throws Exception {
        state = floors;
        return attester.attest(Models.NONCE);
    }

    private Appraisal remember(byte[] evidence) {
        Appraisal appraisal = appraise(evidence);
        device = appraisal.remember(device, NOW);
        return appraisal;
    }

    private Appraisal asked(byte[] evidence, Asked asked) {
        return EvidenceVerifier.verify(
                evidence,
                new EvidenceVerifier.Question(Models.NONCE, Optional.of(Duration.ZERO), asked),
                device,
                Models.PUBLISHED,
                AppraisalPolicy.atLeast(assurance()).withRegister(measured()));
    }

    @Test
    void aStateThatWasPutBackIsRefusedThoughTheDeviceSaysThatAllIsWell() throws Exception {
        swap(Models.V2);
        assertThat(remember(evidence(Map.of("intent", 2L))).status()).isEqualTo(Status.AFFIRMING);
        assertThat(remember(evidence(Map.of("intent", 2L))).status()).isEqualTo(Status.AFFIRMING);
        for (Map<String, Long> fallen : List.of(Map.of("intent", 1L), Map.<String, Long>of())) {
            Appraisal refused = remember(evidence(fallen));
            assertThat(refused.status()).isEqualTo(Status.CONTRAINDICATED);
            assertThat(refused.firstFailure().orElseThrow().code()).contains(Code.ATT_FLOOR);
            assertThat(refused.firstFailure().orElseThrow().detail()).contains("intent", "2 was seen in boot");
        }
        assertThat(remember(evidence(Map.of("intent", 2L))).status())
                .as("what was refused lowered nothing")
                .isEqualTo(Status.AFFIRMING);
    }

    @Test
    void aReleaseBelowTheFloorIsRefusedWhateverFloorTheDeviceClaims() throws Exception {
        swap(Models.V2);
        remember(evidence(Map.of("intent", 2L)));
        swap(Models.V1);
        assertRefused(evidence(Map.of("intent", 2L)), Code.ATT_FLOOR);
    }

    /** Whoever has the Director's key can have each model retired, so that no evidence shows its floor. */
    @Test
    void theFloorOfARetiredModelIsRemembered() throws Exception {
        swap(Models.EMBED);
        remember(evidence(Map.of("intent", 1L, "embed", 1L)));
        log.retired("embed");
        assertThat(remember(evidence(Map.of("intent", 1L))).status()).isEqualTo(Status.AFFIRMING);
        swap(Models.EMBED);
        assertRefused(evidence(Map.of("intent", 1L)), Code.ATT_FLOOR);
        assertThat(appraise(evidence(Map.of("intent", 1L, "embed", 1L))).status())
                .isEqualTo(Status.AFFIRMING);
    }

    @Test
    void onlyAuthenticEvidenceIsRememberedAndRefusedEvidenceIsToo() throws Exception {
        byte[] high = evidence(Map.of("intent", 9L));
        EnrolledDevice before = device;
        byte[] forged = high.clone();
        forged[forged.length - 1] ^= 1;
        assertThat(remember(forged).sighting()).isEmpty();
        EvidenceVerifier.Question other =
                new EvidenceVerifier.Question(Models.hash("other").value(), Optional.empty());
        AppraisalPolicy policy = AppraisalPolicy.atLeast(assurance());
        assertThat(EvidenceVerifier.verify(high, other, device, Models.PUBLISHED, policy)
                        .remember(device, NOW))
                .isEqualTo(before);
        assertThat(remember(withoutQuote(high)).sighting()).isEmpty();
        assertThat(device).isEqualTo(before);
        Appraisal unpublished = withReferences(high, Models.published(Models.V2));
        assertThat(unpublished.status()).isEqualTo(Status.CONTRAINDICATED);
        device = unpublished.remember(device, NOW);
        assertRefused(evidence(Map.of("intent", 8L)), Code.ATT_FLOOR);
    }

    /** The quote of another moment, which does not cover these claims. */
    private byte[] withoutQuote(byte[] evidence) throws Exception {
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(evidence));
        TpmEvidence other =
                Models.accepted(EvidenceVerifier.open(evidence(Map.of()))).tpm();
        return signed(message.claims(), quoteOf(other), message.tpm().log());
    }

    /** Two verifiers ask at the same time, and the answer to the first is judged last. */
    @Test
    void whatWasAskedBeforeIsHeldAgainstWhatWasKnownThen() throws Exception {
        byte[] first = evidence(Map.of("intent", 1L));
        swap(Models.V2);
        byte[] second = evidence(Map.of("intent", 2L));
        DeviceTime known = device.memory().newest();
        remember(second);
        assertThat(asked(first, new Asked.After(known)).status()).isEqualTo(Status.AFFIRMING);
        assertThat(asked(first, new Asked.Last()).firstFailure().orElseThrow().code())
                .as("a nonce that was sent after the second was seen")
                .contains(Code.ATT_CLOCK);
        Appraisal archived = asked(first, new Asked.Unknown());
        assertThat(archived.status()).isEqualTo(Status.WARNING);
        assertThat(archived.firstFailure().orElseThrow().detail()).contains("the newest that was seen");
        assertThat(asked(second, new Asked.Unknown()).status()).isEqualTo(Status.AFFIRMING);
    }

    @Test
    void aFallBetweenTwoThatAreJudgedInTheWrongOrderIsSeen() throws Exception {
        swap(Models.V2);
        byte[] high = evidence(Map.of("intent", 2L));
        byte[] low = evidence(Map.of("intent", 1L));
        DeviceTime known = device.memory().newest();
        assertThat(remember(low).status()).isEqualTo(Status.AFFIRMING);
        Appraisal late = asked(high, new Asked.After(known));
        assertThat(late.firstFailure().orElseThrow().code()).contains(Code.ATT_FLOOR);
        device = late.remember(device, NOW);
        assertRefused(evidence(Map.of("intent", 1L)), Code.ATT_FLOOR);
    }

    @Test
    void theOrderOfRememberingDoesNotMatter() throws Exception {
        Random random = new Random(12);
        List<Appraisal> all = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            all.add(appraise(evidence(Map.of("intent", (long) random.nextInt(3)))));
        }
        DeviceMemory expected = null;
        for (int i = 0; i < 50; i++) {
            Collections.shuffle(all, random);
            EnrolledDevice fresh = device;
            for (Appraisal one : all) {
                fresh = one.remember(fresh, NOW);
            }
            expected = expected == null ? fresh.memory() : expected;
            assertThat(fresh.memory()).isEqualTo(expected);
        }
        assertThat(Objects.requireNonNull(expected).seenAt()).contains(NOW);
    }

    @Test
    void aResetTpmIsAFallOfTheClock() throws Exception {
        remember(evidence(Map.of("intent", 1L)));
        DeviceMemory memory = device.memory();
        DeviceTime later = new DeviceTime(memory.newest().resetCount() + 3, 0);
        device = device.with(new DeviceMemory(later, memory.seenAt(), memory.floors()));
        assertRefused(evidence(Map.of("intent", 1L)), Code.ATT_CLOCK);
    }

    @Test
    void aDeviceThatNamesMoreModelsThanAreRememberedIsRefused() throws Exception {
        TreeMap<String, DeviceMemory.Floor> floors = new TreeMap<>();
        for (int i = 0; i < DeviceMemory.MAX_FLOORS; i++) {
            floors.put("m" + i, new DeviceMemory.Floor(1, DeviceTime.START));
        }
        device = device.with(new DeviceMemory(DeviceTime.START, Optional.empty(), floors));
        assertThat(appraise(evidence(Map.of())).status()).isEqualTo(Status.AFFIRMING);
        assertThat(remember(evidence(Map.of("intent", 1L)))
                        .firstFailure()
                        .orElseThrow()
                        .code())
                .contains(Code.ATT_FLOOR);
        assertThat(device.memory().floors()).hasSize(DeviceMemory.MAX_FLOORS);
        byte[] json = Json.write(device.toJson());
        assertThat(Models.accepted(EnrolledDevice.fromJson(json))).isEqualTo(device);
    }

    @Test
    void recordsOfEarlierVersionsAreReadAndOnesOfLaterAreNot() throws Exception {
        remember(evidence(Map.of("intent", 2L)));
        var json = device.toJson();
        assertThat(Models.accepted(EnrolledDevice.fromJson(json))).isEqualTo(device);
        var before = json.deepCopy();
        before.put("format", 1).remove(List.of("floors", "lastSeenAt"));
        EnrolledDevice old = Models.accepted(EnrolledDevice.fromJson(before));
        assertThat(old.memory().newest()).isEqualTo(device.memory().newest());
        assertThat(old.memory().floors()).isEmpty();
        assertThat(EnrolledDevice.fromJson(json.deepCopy().put("format", 4)).isAccepted())
                .isFalse();
        for (String bad : List.of(
                "[]", "{\"no name\":{}}", "{\"intent\":{\"epoch\":-1,\"sinceResetCount\":0,\"sinceClockMillis\":0}}")) {
            var wrong = json.deepCopy();
            wrong.set("floors", new com.fasterxml.jackson.databind.ObjectMapper().readTree(bad));
            assertThat(EnrolledDevice.fromJson(wrong).isAccepted()).as(bad).isFalse();
        }
        assertThat(EnrolledDevice.fromJson("{".getBytes(StandardCharsets.UTF_8)).isAccepted())
                .isFalse();
    }
}
