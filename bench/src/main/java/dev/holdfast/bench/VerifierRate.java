package dev.holdfast.bench;

import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.PlatformLogs;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Appraises the evidence of some devices in turn, over and over, on one thread. */
final class VerifierRate {
    /** Whose keys and logs differ from each other. */
    static final int DEVICES = 16;
    /** Events in each log. */
    static final int EVENTS = 100;

    private static final Duration WARM_UP = Duration.ofSeconds(8);
    private static final Duration MEASURED = Duration.ofSeconds(10);

    /**
     * How often a second, of the thread's own processor time and by the clock: on a shared machine the clock says how much of
     * a core was left, too.
     */
    record Rate(double ofCore, double byClock) {}

    /**
     * @param appraisals appraisals
     * @param jdkSignatures pairs of ES256 verifications by the JDK, for comparison
     */
    record Result(Rate appraisals, Rate jdkSignatures, int evidenceBytes) {}

    private VerifierRate() {}

    /** What a verifier has of one device. */
    private record Sent(byte[] evidence, EnrolledDevice device) {}

    static Result measure(Path dir) throws Exception {
        ModelEvent first = event("1.0.0");
        ModelEvent second = event("2.0.0");
        Binary nonce = hash("nonce").value();
        List<Sent> all = new ArrayList<>();
        for (int i = 0; i < DEVICES; i++) {
            all.add(sent(dir.resolve("device-" + i), nonce, first, second));
        }
        ReferenceModels models = ReferenceModels.of(Map.of(
                new ReferenceModels.Key(first.target(), first.digest()),
                new ReferenceModels.Reference("intent", "1.0.0"),
                new ReferenceModels.Key(second.target(), second.digest()),
                new ReferenceModels.Reference("intent", "2.0.0")));
        AppraisalPolicy policy = AppraisalPolicy.atLeast(Assurance.SOFTWARE);
        EvidenceVerifier.Question question = new EvidenceVerifier.Question(nonce, Optional.of(Duration.ZERO));
        Runnable appraiseAll = () -> {
            for (Sent one : all) {
                if (!EvidenceVerifier.verify(one.evidence(), question, one.device(), models, policy)
                        .isAffirming()) {
                    throw new IllegalStateException("not affirming");
                }
            }
        };
        rate(appraiseAll, WARM_UP);
        Rate rounds = rate(appraiseAll, MEASURED);
        Rate appraisals = new Rate(DEVICES * rounds.ofCore(), DEVICES * rounds.byClock());
        return new Result(appraisals, jdkSignatures(), all.get(0).evidence().length);
    }

    private static Sent sent(Path dir, Binary nonce, ModelEvent first, ModelEvent second) throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"));
                EventLog log =
                        EventLog.open(dir.resolve("log"), bridge.register().orElseThrow())) {
            log.agentStarted("holdfast", "0.1.0");
            for (int i = 1; i < EVENTS; i++) {
                log.ensureServing(List.of(i % 2 == 0 ? first : second));
            }
            byte[] evidence = new Attester(
                            bridge,
                            log,
                            new Attester.Surroundings(
                                    "holdfast",
                                    "0.1.0",
                                    Map::of,
                                    () -> List.copyOf(log.serving().values()),
                                    TreeMap::new,
                                    PlatformLogs.none()))
                    .attest(nonce);
            return new Sent(evidence, enrol(bridge));
        }
    }

    private static Rate jdkSignatures() {
        KeyPair pair = P256.generate();
        Sha256 digest = hash("digest");
        byte[] signature = P256.sign(pair.getPrivate(), digest);
        Runnable two = () -> {
            for (int i = 0; i < 2; i++) {
                if (!P256.verify((java.security.interfaces.ECPublicKey) pair.getPublic(), digest, signature)) {
                    throw new IllegalStateException("not verified");
                }
            }
        };
        rate(two, Duration.ofSeconds(3));
        return rate(two, Duration.ofSeconds(3));
    }

    private static Rate rate(Runnable work, Duration duration) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long cpu = threads.getCurrentThreadCpuTime();
        long start = System.nanoTime();
        long end = start + duration.toNanos();
        long done = 0;
        while (System.nanoTime() < end) {
            work.run();
            done++;
        }
        long elapsed = System.nanoTime() - start;
        return new Rate(done * 1e9 / (threads.getCurrentThreadCpuTime() - cpu), done * 1e9 / elapsed);
    }

    private static EnrolledDevice enrol(SoftwareBridge bridge) throws Exception {
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        EnrolmentAuthority.Attempt attempt = EnrolmentAuthority.begin(
                        mine.request(), EnrolmentPolicy.DEFAULT.withSoftware(), Clock.systemUTC())
                .orThrow();
        return attempt.complete(mine.prove(attempt.challenge()).orThrow()).orThrow();
    }

    private static ModelEvent event(String version) {
        return new ModelEvent(
                ModelEvent.Kind.SERVE,
                "intent",
                version,
                hash(version),
                hash("anchor").value(),
                "models/intent/" + version + "/model.gguf",
                1,
                1,
                hash("template"),
                hash("gate"),
                Optional.of(hash("tokenizer")));
    }

    private static Sha256 hash(String text) {
        return Sha256.of(text.getBytes(StandardCharsets.UTF_8));
    }
}
