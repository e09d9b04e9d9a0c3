package dev.holdfast.attestation;

import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/** Models, nonces and reference values that the tests share. */
public final class Models {
    static final ModelEvent V1 = serve("1.0.0", 1);
    static final ModelEvent V2 = serve("2.0.0", 2);
    static final Binary NONCE = hash("nonce").value();
    static final ReferenceModels PUBLISHED = ReferenceModels.of(Map.of(
            V1.digest(), new ReferenceModels.Reference("intent", "1.0.0"),
            V2.digest(), new ReferenceModels.Reference("intent", "2.0.0")));

    private Models() {}

    static ModelEvent serve(String version, long epoch) {
        return new ModelEvent(
                ModelEvent.Kind.SERVE,
                "intent",
                version,
                hash("model " + version),
                hash("anchor").value(),
                "models/intent/" + version + "/model.gguf",
                epoch,
                hash("template"),
                Optional.of(hash("tokenizer")));
    }

    /** An enrolment at a fleet that lets everybody in. */
    static Verdict<EnrolmentAuthority.Attempt> begin(byte[] request) {
        return EnrolmentAuthority.begin(request, EnrolmentPolicy.onFirstUse(), Clock.systemUTC());
    }

    /** A question that was asked just now. */
    static EvidenceVerifier.Question question() {
        return new EvidenceVerifier.Question(NONCE, Optional.of(Duration.ofMillis(20)));
    }

    /** What an attester says besides what it measures. */
    static Attester.Surroundings around(ServingModel serving) {
        return new Attester.Surroundings(
                "holdfast", "0.1.0", () -> Map.of("seccomp", "on"), serving, PlatformLogs.none());
    }

    static Sha256 hash(String text) {
        return Sha256.of(text.getBytes(StandardCharsets.UTF_8));
    }

    public static <T> T accepted(Verdict<T> verdict) {
        return switch (verdict) {
            case Verdict.Accepted<T>(T value) -> value;
            case Verdict.Rejected<T>(var reason) -> throw new AssertionError(reason.toString());
        };
    }
}
