package dev.holdfast.attestation;

import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Models, nonces and reference values that the tests share. */
public final class Models {
    static final ModelEvent V1 = serve("1.0.0", 1);
    static final ModelEvent V2 = serve("2.0.0", 2);
    static final Binary NONCE = hash("nonce").value();
    /** The device once ran another model, too. */
    static final SortedMap<String, Long> FLOORS = new TreeMap<>(Map.of("intent", 1L, "retired", 7L));

    /** An encoder beside it, whose epochs have nothing to do with the other's. */
    static final ModelEvent EMBED = serve("embed", "1.0.0", 1);

    static final ModelEvent EMBED_2 = serve("embed", "2.0.0", 1);
    static final ReferenceModels PUBLISHED = published(V1, V2, EMBED, EMBED_2);

    private Models() {}

    static ModelEvent serve(String version, long epoch) {
        return serve("intent", version, epoch);
    }

    static ModelEvent serve(String model, String version, long epoch) {
        return new ModelEvent(
                ModelEvent.Kind.SERVE,
                model,
                version,
                hash(model + " " + version),
                hash("anchor").value(),
                "models/" + model + "/" + version + "/model.gguf",
                version.charAt(0) - '0',
                epoch,
                hash("template"),
                hash("gate"),
                Optional.of(hash("tokenizer")));
    }

    /** The same bytes, signed again: what is given here is another than before. */
    static ModelEvent again(ModelEvent event, String version, long release, long epoch, String template, String gate) {
        return new ModelEvent(
                event.kind(),
                event.model(),
                version,
                event.digest(),
                event.authority(),
                "models/" + event.model() + "/" + version + "/model.gguf",
                release,
                epoch,
                hash(template),
                hash(gate),
                event.tokenizer());
    }

    /** The same release, with other bytes. */
    static ModelEvent withDigest(ModelEvent event, Sha256 digest) {
        return new ModelEvent(
                event.kind(),
                event.model(),
                event.version(),
                digest,
                event.authority(),
                event.target(),
                event.release(),
                event.epoch(),
                event.template(),
                event.gate(),
                event.tokenizer());
    }

    /** The same release, of which the process that serves says another tokenizer, or none. */
    static ModelEvent withTokenizer(ModelEvent event, Optional<Sha256> tokenizer) {
        return new ModelEvent(
                event.kind(),
                event.model(),
                event.version(),
                event.digest(),
                event.authority(),
                event.target(),
                event.release(),
                event.epoch(),
                event.template(),
                event.gate(),
                tokenizer);
    }

    /** A release of which everything is as long as it may be; the name begins with {@code name}. */
    static ModelEvent largest(String name) {
        return new ModelEvent(
                ModelEvent.Kind.ROLLBACK,
                name + "m".repeat(ModelName.MAX_CHARS - name.length()),
                "1".repeat(ModelName.MAX_CHARS),
                hash("largest"),
                Binary.copyOf(new byte[ModelEvent.MAX_AUTHORITY_BYTES]),
                "\u20ac".repeat(ModelEvent.MAX_TEXT_CHARS),
                Long.MAX_VALUE,
                Long.MAX_VALUE,
                hash("template"),
                hash("gate"),
                Optional.of(hash("tokenizer")));
    }

    /** Reference values with everything that was signed of these releases. */
    static ReferenceModels published(ModelEvent... releases) {
        return ReferenceModels.of(Arrays.stream(releases)
                .collect(Collectors.toMap(
                        event -> new ReferenceModels.Key(event.target(), event.digest()), Models::reference)));
    }

    static ReferenceModels.Reference reference(ModelEvent event) {
        return new ReferenceModels.Reference(
                event.model(),
                event.version(),
                Optional.of(event.release()),
                Optional.of(event.epoch()),
                Optional.of(event.template()),
                Optional.of(event.gate()),
                Set.of(event.authority()));
    }

    /** The same of a release that its publisher took back. */
    static ReferenceModels withdrawn(ModelEvent event) {
        ReferenceModels.Reference known = reference(event);
        ReferenceModels.Reference back = new ReferenceModels.Reference(
                known.model(),
                known.version(),
                known.release(),
                known.epoch(),
                known.template(),
                known.gate(),
                known.authorities(),
                true);
        return ReferenceModels.of(java.util.Map.of(new ReferenceModels.Key(event.target(), event.digest()), back));
    }

    /** An enrolment at a fleet that lets everybody in. */
    static Verdict<EnrolmentAuthority.Attempt> begin(byte[] request) {
        return EnrolmentAuthority.begin(request, EnrolmentPolicy.DEFAULT.withSoftware(), Clock.systemUTC());
    }

    /** A question that was asked just now. */
    static EvidenceVerifier.Question question() {
        return new EvidenceVerifier.Question(NONCE, Optional.of(Duration.ofMillis(20)));
    }

    /** What an attester says besides what it measures. */
    static Attester.Surroundings around(ServingModels serving) {
        return new Attester.Surroundings(
                "holdfast", "0.1.0", () -> Map.of("seccomp", "on"), serving, () -> FLOORS, PlatformLogs.none());
    }

    /** What answers is what the log names. */
    static ServingModels as(EventLog log) {
        return () -> List.copyOf(log.serving().values());
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
