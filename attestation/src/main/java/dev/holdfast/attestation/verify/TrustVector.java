package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.Appraisal.Check;
import dev.holdfast.attestation.verify.Appraisal.Outcome;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.Json;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The checks as a trustworthiness vector (draft-ietf-rats-ar4si, 3.1): one number for each sort of trust, in one of four tiers.
 * What nobody asked or saw is 0. Which check says what is the table below, which docs/protocol/evidence-and-policy.md repeats with
 * the reasons; a test holds the two together. Numbers below zero are this verifier's own, where the draft has no true one.
 */
public record TrustVector(Map<Claim, Integer> claims) {
    /** The sorts of trust; the place of each is its key in CBOR. */
    public enum Claim {
        INSTANCE_IDENTITY("instance-identity"),
        CONFIGURATION("configuration"),
        EXECUTABLES("executables"),
        FILE_SYSTEM("file-system"),
        HARDWARE("hardware"),
        RUNTIME_OPAQUE("runtime-opaque"),
        STORAGE_OPAQUE("storage-opaque"),
        SOURCED_DATA("sourced-data");

        private final String word;

        Claim(String word) {
            this.word = word;
        }

        /** The name in JSON. */
        public String word() {
            return word;
        }
    }

    /** Best first, but for {@code NONE}, which is no statement. */
    enum Tier {
        NONE,
        AFFIRMING,
        WARNING,
        CONTRAINDICATED;

        /** AR4SI, 3.2.1. */
        static Tier of(int value) {
            if (value >= -1 && value <= 1) {
                return NONE;
            }
            if (value > 0) {
                return value < 32 ? AFFIRMING : value < 96 ? WARNING : CONTRAINDICATED;
            }
            return value >= -32 ? AFFIRMING : value >= -96 ? WARNING : CONTRAINDICATED;
        }
    }

    static final int NOTHING = 0;
    /** The verifier cannot read it. */
    static final int UNREADABLE = 1;

    static final int RECOGNIZED = 2;
    /** A recognized set was loaded during the boot. */
    static final int BOOT = 3;
    /** Our own: holds by the enrolled agent's word, under its quote. */
    static final int SAID = -2;
    /** Our own: could not be shown. */
    static final int UNSHOWN = -33;

    static final int WEAK = 32;
    static final int UNRECOGNIZED_OBJECTS = 33;
    static final int REFUSED = 96;
    static final int UNKNOWN_HARDWARE = 97;
    /** Cryptographic validation failed. */
    static final int INVALID = 99;

    /** What a check says by its outcome, where it has that outcome. */
    record Row(String check, Claim claim, int passed, int warning, int refused) {
        int value(Outcome outcome) {
            return switch (outcome) {
                case PASSED -> passed;
                case WARNING -> warning;
                case REFUSED -> refused;
            };
        }
    }

    /** Where a policy asks for these registers, firmware, drivers and boot loader are all measured ones (PC Client Platform TPM Profile). */
    static final Set<String> MEASURED_BOOT = Set.of("pcr-0", "pcr-2", "pcr-4");

    private static final String ANY_PCR = "pcr-N";

    /** A check that is here only passes what it leads to where the grant is firmware or hardware. */
    static final Set<String> NEED_A_TPM = Set.of("signature", "assurance");

    static final List<Row> TABLE = List.of(
            new Row("format", Claim.INSTANCE_IDENTITY, NOTHING, NOTHING, UNREADABLE),
            new Row("signature", Claim.INSTANCE_IDENTITY, RECOGNIZED, NOTHING, INVALID),
            new Row("nonce", Claim.INSTANCE_IDENTITY, NOTHING, NOTHING, INVALID),
            new Row("freshness", Claim.INSTANCE_IDENTITY, NOTHING, NOTHING, INVALID),
            new Row("clock", Claim.INSTANCE_IDENTITY, NOTHING, UNSHOWN, REFUSED),
            new Row("missing-model", Claim.CONFIGURATION, NOTHING, UNSHOWN, NOTHING),
            new Row("serving", Claim.CONFIGURATION, NOTHING, UNSHOWN, NOTHING),
            new Row("sandbox", Claim.CONFIGURATION, SAID, WEAK, NOTHING),
            new Row("agent", Claim.CONFIGURATION, SAID, NOTHING, REFUSED),
            new Row("log", Claim.EXECUTABLES, NOTHING, NOTHING, INVALID),
            new Row("events", Claim.EXECUTABLES, NOTHING, NOTHING, REFUSED),
            new Row("newer-claim", Claim.CONFIGURATION, NOTHING, UNSHOWN, NOTHING),
            new Row("newer-event", Claim.EXECUTABLES, NOTHING, UNRECOGNIZED_OBJECTS, REFUSED),
            new Row("newer-agent", Claim.EXECUTABLES, NOTHING, NOTHING, REFUSED),
            new Row("model", Claim.EXECUTABLES, NOTHING, NOTHING, INVALID),
            new Row("reference", Claim.EXECUTABLES, SAID, NOTHING, REFUSED),
            new Row("withdrawn", Claim.EXECUTABLES, NOTHING, NOTHING, REFUSED),
            new Row("allowed-model", Claim.EXECUTABLES, NOTHING, NOTHING, REFUSED),
            new Row("unlisted-model", Claim.EXECUTABLES, NOTHING, UNRECOGNIZED_OBJECTS, NOTHING),
            new Row("grace", Claim.EXECUTABLES, NOTHING, NOTHING, REFUSED),
            new Row("epoch", Claim.EXECUTABLES, NOTHING, NOTHING, REFUSED),
            new Row("epoch-floors", Claim.EXECUTABLES, NOTHING, NOTHING, REFUSED),
            new Row(ANY_PCR, Claim.EXECUTABLES, NOTHING, NOTHING, REFUSED),
            new Row("boot-log", Claim.EXECUTABLES, NOTHING, NOTHING, INVALID),
            new Row("ima-log", Claim.FILE_SYSTEM, NOTHING, NOTHING, INVALID),
            new Row("assurance", Claim.HARDWARE, RECOGNIZED, NOTHING, UNKNOWN_HARDWARE),
            new Row("quote-signature", Claim.HARDWARE, NOTHING, NOTHING, INVALID),
            new Row("quote", Claim.HARDWARE, NOTHING, NOTHING, INVALID),
            new Row("register", Claim.HARDWARE, NOTHING, NOTHING, REFUSED),
            new Row("register-guard", Claim.HARDWARE, NOTHING, NOTHING, REFUSED),
            new Row("register-reset", Claim.HARDWARE, NOTHING, WEAK, REFUSED),
            new Row("vm-report", Claim.RUNTIME_OPAQUE, NOTHING, UNSHOWN, REFUSED));

    private static final Map<String, Row> ROWS = TABLE.stream().collect(Collectors.toMap(Row::check, row -> row));

    /** AR4SI, 3.1.2: the worst tier; within it a number of the draft's before one of our own, and then the larger one. */
    private static final Comparator<Integer> STRENGTH = Comparator.<Integer, Tier>comparing(Tier::of)
            .thenComparing(value -> value >= 0)
            .thenComparing(Math::abs);

    public TrustVector {
        claims = Map.copyOf(claims);
    }

    static TrustVector of(List<Check> checks, Assurance granted) {
        boolean tpm = granted.compareTo(Assurance.FIRMWARE) >= 0;
        Map<Claim, Integer> claims = new EnumMap<>(Claim.class);
        for (Claim claim : Claim.values()) {
            claims.put(claim, NOTHING);
        }
        for (Check check : checks) {
            row(check.name()).ifPresent(row -> {
                boolean empty = check.passed() && NEED_A_TPM.contains(row.check) && !tpm;
                claims.merge(row.claim, empty ? NOTHING : row.value(check.outcome()), TrustVector::worse);
            });
        }
        Set<String> held =
                checks.stream().filter(Check::passed).map(Check::name).collect(Collectors.toSet());
        if (tpm && held.containsAll(MEASURED_BOOT)) {
            claims.merge(Claim.EXECUTABLES, BOOT, TrustVector::worse);
        }
        return new TrustVector(claims);
    }

    private static int worse(int one, int other) {
        return STRENGTH.compare(one, other) >= 0 ? one : other;
    }

    static Optional<Row> row(String check) {
        return Optional.ofNullable(ROWS.get(check.startsWith("pcr-") ? ANY_PCR : check));
    }

    /** -128 to 127. */
    public int value(Claim claim) {
        return claims.getOrDefault(claim, NOTHING);
    }

    ObjectNode toJson() {
        ObjectNode json = Json.object();
        for (Claim claim : Claim.values()) {
            json.put(claim.word, value(claim));
        }
        return json;
    }

    Cbor toCbor() {
        Cbor.DictBuilder dict = Cbor.dict();
        for (Claim claim : Claim.values()) {
            dict.put(claim.ordinal(), Cbor.of(value(claim)));
        }
        return dict.build();
    }
}
