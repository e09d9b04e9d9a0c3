package dev.holdfast.fleet.attest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.PlatformLogs;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.fleet.AttestSettings;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.LastVerdict;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.LinkException;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The duty with a device that makes real evidence, or lies, or says nothing; spans go by a clock that the test moves. */
@Timeout(60)
class AttestDutyTest {
    @TempDir
    Path dir;

    private final AtomicLong nanos = new AtomicLong();
    private final BlockingQueue<Challenge> challenges = new LinkedBlockingQueue<>();
    private final AtomicBoolean away = new AtomicBoolean();
    private FleetDirectory directory = new FleetDirectory(Path.of(""));
    private FleetRepository repository = new FleetRepository(directory, Clock.systemUTC());
    private SoftwareBridge bridge;
    private Optional<AttestDuty> duty = Optional.empty();

    @BeforeEach
    void enrol() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        repository = new FleetRepository(directory, Clock.systemUTC());
        repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1"));
        bridge = SoftwareBridge.open(dir.resolve("tee"));
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "cam-7");
        EnrolmentAuthority.Attempt attempt = EnrolmentAuthority.begin(
                        mine.request(), EnrolmentPolicy.DEFAULT.withSoftware(), Clock.systemUTC())
                .orThrow();
        Files.write(
                directory.device("cam-7"),
                Json.write(attempt.complete(mine.prove(attempt.challenge()).orThrow())
                        .orThrow()
                        .toJson()));
        Files.writeString(dir.resolve("policy.json"), "{\"format\":1, \"id\":\"lab\", \"minAssurance\":\"software\"}");
    }

    @AfterEach
    void close() {
        duty.ifPresent(AttestDuty::close);
        bridge.close();
    }

    private AttestDuty start() throws Exception {
        return start(Clock.systemUTC());
    }

    private AttestDuty start(Clock clock) throws Exception {
        Attestation attestation = new Attestation(repository, VerifierKey.open(directory), clock);
        AttestDuty fresh = AttestDuty.start(attestation, "test", this::send, nanos::get);
        fresh.use(settings(), Attestation.policy(settings()));
        duty = Optional.of(fresh);
        return fresh;
    }

    private AttestSettings settings() {
        return new AttestSettings(
                Duration.ofDays(1), true, Optional.of(dir.resolve("policy.json")), Duration.ofDays(400));
    }

    private void send(Topics device, Challenge challenge) throws LinkException {
        if (away.get()) {
            throw LinkException.of(new Rejection(Code.LNK_DOWN, "the broker is away"));
        }
        challenges.add(challenge);
    }

    /** Moves the clock until a question comes. */
    private Challenge asked(Duration within) throws Exception {
        for (long end = nanos.get() + within.toNanos(); nanos.get() < end; ) {
            Challenge challenge = challenges.poll(20, TimeUnit.MILLISECONDS);
            if (challenge != null) {
                return challenge;
            }
            nanos.addAndGet(within.toNanos() / 50 + 1);
        }
        Challenge late = challenges.poll(5, TimeUnit.SECONDS);
        assertThat(late).as("asked within " + within).isNotNull();
        return late;
    }

    private void until(Callable<Boolean> condition) throws Exception {
        while (!condition.call()) {
            Thread.onSpinWait();
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }

    private List<Evidence> answer(Binary nonce) throws Exception {
        try (EventLog log = EventLog.open(dir.resolve("log"), bridge.register().orElseThrow())) {
            Attester.Surroundings around = new Attester.Surroundings(
                    "holdfast", "0.1.0", Map::of, List::of, TreeMap::new, PlatformLogs.none());
            return Evidence.parts(nonce, Binary.copyOf(new Attester(bridge, log, around).attest(nonce)), 300);
        }
    }

    private List<VerdictLog.Line> lines() throws Exception {
        return new VerdictLog(directory).of("cam-7");
    }

    @Test
    void theFleetAsksByItselfAndKeepsWhatCame() throws Exception {
        AttestDuty asks = start();
        Challenge challenge = asked(Duration.ofMinutes(1));
        assertThat(challenge.seal()).as("the Director's word").isPresent();
        answer(challenge.nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> !lines().isEmpty() && duty.orElseThrow().open() == 0);
        LastVerdict last = LastVerdict.read(directory, "cam-7").orElseThrow();
        assertThat(last.status()).isEqualTo("none");
        assertThat(lines().get(0).why()).isEqualTo("schedule");
        Path kept = new KeptArchives(directory).of("cam-7").get(0);
        SignedArchive archive = SignedArchive.read(Files.readAllBytes(kept)).orThrow();
        assertThat(archive.archived().appraise().appraisal().status()).hasToString("NONE");
        answer(challenge.nonce()).forEach(part -> asks.evidence("cam-7", part));
        nanos.addAndGet(Duration.ofHours(20).toNanos());
        assertThat(challenges.poll(300, TimeUnit.MILLISECONDS))
                .as("answered twice")
                .isNull();
        assertThat(lines()).hasSize(1);
        assertThat(asked(Duration.ofHours(5)).nonce()).isNotEqualTo(challenge.nonce());
    }

    @Test
    void anAnswerToAnotherQuestionAndOneThatComesTooLateAreNone() throws Exception {
        AttestDuty asks = start();
        Challenge first = asked(Duration.ofMinutes(1));
        nanos.addAndGet(Duration.ofSeconds(16).toNanos());
        assertThat(asked(Duration.ofSeconds(1)).nonce()).as("asked once more").isEqualTo(first.nonce());
        nanos.addAndGet(Duration.ofSeconds(16).toNanos());
        until(() -> lines().size() == 1 && duty.orElseThrow().open() == 0);
        assertThat(lines().get(0).isSilent()).isTrue();
        List<Evidence> late = answer(first.nonce());
        late.forEach(part -> asks.evidence("cam-7", part));
        Challenge second = asked(Duration.ofMinutes(3));
        late.forEach(part -> asks.evidence("cam-7", part));
        for (Evidence part : late) {
            // The old evidence under the new nonce.
            asks.evidence("cam-7", new Evidence(second.nonce(), part.total(), part.offset(), part.data()));
        }
        assertThat(lines()).hasSize(1);
        answer(second.nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 2 && duty.orElseThrow().open() == 0);
        assertThat(LastVerdict.read(directory, "cam-7").orElseThrow().status()).isEqualTo("none");
        ServedThen then = ServedThen.of(directory, "cam-7", Instant.now().minus(Duration.ofDays(1)));
        assertThat(then.gap().orElseThrow()).contains("from the beginning", "1 question between got no answer");
    }

    @Test
    void oldEvidenceUnderTheNewNonceIsRefusedWhereNothingElseComes() throws Exception {
        AttestDuty asks = start();
        List<Evidence> old = answer(Binary.copyOf(new byte[32]));
        Challenge challenge = asked(Duration.ofMinutes(1));
        old.forEach(part ->
                asks.evidence("cam-7", new Evidence(challenge.nonce(), part.total(), part.offset(), part.data())));
        nanos.addAndGet(Duration.ofSeconds(31).toNanos());
        until(() -> !lines().isEmpty() && duty.orElseThrow().open() == 0);
        assertThat(lines().get(0).code()).contains(Code.ATT_NONCE.id());
    }

    @Test
    void aDeviceThatServesSomethingElseIsAskedAtOnceAndOneThatSaysSoEachSecondIsNot() throws Exception {
        AttestDuty asks = start();
        Challenge first = asked(Duration.ofMinutes(1));
        answer(first.nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 1 && duty.orElseThrow().open() == 0);
        asks.reported("cam-7", report("a", "idle"));
        Challenge flip = asked(Duration.ofSeconds(3));
        answer(flip.nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 2 && duty.orElseThrow().open() == 0);
        assertThat(lines().get(1).why()).isEqualTo("flip");
        asks.reported("cam-7", report("a", "idle"));
        asks.reported("cam-7", report("b", "installing"));
        nanos.addAndGet(Duration.ofSeconds(5).toNanos());
        assertThat(challenges.poll(700, TimeUnit.MILLISECONDS))
                .as("the same, and one on probation")
                .isNull();
        int questions = 0;
        Set<Binary> nonces = new HashSet<>();
        for (int second = 0; second < 120; second++) {
            asks.reported("cam-7", report("s" + second, "idle"));
            nanos.addAndGet(Duration.ofSeconds(1).toNanos());
            Challenge challenge = challenges.poll(second < 10 ? 100 : 10, TimeUnit.MILLISECONDS);
            if (challenge != null && nonces.add(challenge.nonce())) {
                questions++;
                answer(challenge.nonce()).forEach(part -> asks.evidence("cam-7", part));
                int before = questions;
                // On a slow machine the time of a question may pass before it is heard here.
                until(() -> {
                    nanos.addAndGet(Duration.ofMillis(100).toNanos());
                    return lines().size() >= 2 + before && duty.orElseThrow().open() == 0;
                });
            }
        }
        assertThat(questions).isLessThanOrEqualTo(2);
    }

    private static ObjectNode report(String slot, String state) {
        ObjectNode report = Json.object();
        report.putArray("models")
                .addObject()
                .put("model", "chat")
                .put("slot", slot)
                .put("state", state);
        return report;
    }

    @Test
    void aDeviceThatSaysGoodbyeIsAskedAtOnceAndAnOldGoodbyeOfTheBrokerCountsForNothing() throws Exception {
        AttestDuty asks = start();
        Challenge first = asked(Duration.ofMinutes(1));
        answer(first.nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 1 && duty.orElseThrow().open() == 0);
        asks.reported(
                "cam-7",
                Json.object().put("leaving", Instant.now().minusSeconds(600).toString()));
        asks.reported("cam-7", Json.object().put("leaving", "soon"));
        // What it serves is new to the fleet, and asked for.
        answer(asked(Duration.ofSeconds(3)).nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 2 && duty.orElseThrow().open() == 0);
        assertThat(lines().get(1).why()).isEqualTo("flip");
        asks.reported("cam-7", Json.object().put("leaving", Instant.now().toString()));
        Challenge last = challenges.poll(5, TimeUnit.SECONDS);
        assertThat(last).as("no time passes by the test's clock").isNotNull();
        answer(last.nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 3 && duty.orElseThrow().open() == 0);
        assertThat(lines().get(2).why()).isEqualTo("reboot");
    }

    @Test
    void anotherProcessGoesOnWhereTheFirstEnded() throws Exception {
        AttestDuty asks = start();
        asks.reported("cam-7", report("a", "idle"));
        Challenge first = asked(Duration.ofMinutes(1));
        answer(first.nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 1 && duty.orElseThrow().open() == 0);
        asks.close();
        AttestDuty again = start();
        again.reported("cam-7", report("a", "idle"));
        nanos.addAndGet(Duration.ofHours(20).toNanos());
        assertThat(challenges.poll(700, TimeUnit.MILLISECONDS)).isNull();
        again.reported("cam-7", report("b", "idle"));
        assertThat(asked(Duration.ofSeconds(3))).as("it flipped").isNotNull();
    }

    @Test
    void aBrokerThatIsAwayIsNoSilenceOfTheDevice() throws Exception {
        away.set(true);
        AttestDuty asks = start();
        nanos.addAndGet(Duration.ofMinutes(1).toNanos());
        TimeUnit.MILLISECONDS.sleep(700);
        assertThat(lines()).isEmpty();
        away.set(false);
        answer(asked(Duration.ofMinutes(1)).nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 1 && duty.orElseThrow().open() == 0);
    }

    /** Where the archive's folder takes nothing, as on a full disk, the verdict is kept, and the device is asked again. */
    @Test
    void aVerdictIsKeptWhereItsArchiveCannotBe() throws Exception {
        Files.createDirectories(directory.root().resolve("archive"));
        Path blocked = Files.writeString(directory.root().resolve("archive/cam-7"), "no folder");
        AttestDuty asks = start();
        answer(asked(Duration.ofMinutes(1)).nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 1 && duty.orElseThrow().open() == 0);
        assertThat(LastVerdict.read(directory, "cam-7")).isPresent();
        Files.delete(blocked);
        answer(asked(Duration.ofHours(25)).nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> new KeptArchives(directory).of("cam-7").size() == 1);
    }

    @Test
    void aClockThatJumpsBackPutsNobodyOffForLong() throws Exception {
        AttestDuty asks = start(Clock.offset(Clock.systemUTC(), Duration.ofDays(900)));
        answer(asked(Duration.ofMinutes(1)).nonce()).forEach(part -> asks.evidence("cam-7", part));
        until(() -> lines().size() == 1 && duty.orElseThrow().open() == 0);
        asks.close();
        AttestDuty again = start();
        answer(asked(Duration.ofHours(25)).nonce()).forEach(part -> again.evidence("cam-7", part));
        until(() -> lines().size() == 2 && duty.orElseThrow().open() == 0);
        assertThat(LastVerdict.read(directory, "cam-7").orElseThrow().at())
                .as("a verdict of the future gives way")
                .isBefore(Instant.now().plusSeconds(1));
    }

    @Test
    void wherePeopleAskTheServiceAsksNobody() throws Exception {
        AttestDuty asks = start();
        asks.use(
                new AttestSettings(Duration.ofDays(1), false, Optional.empty(), Duration.ofDays(400)),
                Attestation.policy(settings()));
        nanos.addAndGet(Duration.ofDays(2).toNanos());
        assertThat(challenges.poll(700, TimeUnit.MILLISECONDS)).isNull();
    }

    @Test
    void aPolicyThatDoesNotHoldIsSaidBeforeItIsNeeded() throws Exception {
        Files.writeString(dir.resolve("policy.json"), "{\"format\":1}");
        assertThatThrownBy(() -> Attestation.policy(settings()))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("policy.json")
                .hasMessageContaining("minAssurance");
    }

    @Test
    void whoFloodsOneQuestionTakesNothingFromTheOthers() throws Exception {
        start().close();
        OpenQuestions open = new OpenQuestions();
        List<Inquiry> both = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Inquiry one =
                    Inquiry.of(new dev.holdfast.fleet.DeviceRecords(directory), "test", "cam-7", Clock.systemUTC());
            both.add(one);
            open.put(new OpenQuestions.Question(
                    new AttestSchedule.Turn("cam-" + i, AttestSchedule.Why.SCHEDULE), one, Optional.empty(), i));
        }
        both.get(0).take(new Evidence(both.get(0).challenge().nonce(), 9000, 0, Binary.copyOf(new byte[1000])));
        for (int i = 1; i <= 5; i++) {
            byte[] made = new byte[2000];
            made[0] = (byte) i;
            both.get(1).take(new Evidence(both.get(1).challenge().nonce(), 9000, 0, Binary.copyOf(made)));
        }
        open.bound(20_000);
        assertThat(open.openBytes()).isEqualTo(11_000);
        open.bound(10_000);
        assertThat(open.openBytes()).isEqualTo(1000);
        assertThat(both.get(0).openBytes()).isEqualTo(1000);
    }
}
