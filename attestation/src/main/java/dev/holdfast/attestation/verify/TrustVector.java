package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/** The checks as a trustworthiness vector (draft-ietf-rats-ar4si, 2.3): one number for each sort of trust. */
enum TrustVector {
    INSTANCE_IDENTITY("instance-identity", 99, Set.of("format", "signature", "nonce", "freshness", "clock")),
    CONFIGURATION("configuration", 32, Set.of("sandbox", "agent", "serving", "missing-model", "unlisted-model")),
    EXECUTABLES(
            "executables",
            96,
            Set.of("log", "events", "model", "reference", "allowed-model", "grace", "epoch", "epoch-floors")),
    FILE_SYSTEM("file-system", 96, Set.of("ima-log")),
    HARDWARE(
            "hardware",
            96,
            Set.of(
                    "assurance",
                    "quote-signature",
                    "quote",
                    "register",
                    "register-guard",
                    "register-reset",
                    "vm-report")),
    /** Early boot counts as executables in AR4SI, too; it has a line of its own here only in the code. */
    BOOT("executables", 96, Set.of("boot-log"));

    private static final int NO_CLAIM = 0;
    private static final int AFFIRMING = 2;

    private final String claim;
    private final int failed;
    private final Set<String> names;

    TrustVector(String claim, int failed, Set<String> names) {
        this.claim = claim;
        this.failed = failed;
        this.names = names;
    }

    static ObjectNode of(List<Appraisal.Check> checks) {
        ObjectNode vector = Json.object();
        Arrays.stream(values()).forEach(one -> {
            int worst = checks.stream()
                    .filter(check -> one.names.contains(check.name())
                            || one == BOOT && check.name().startsWith("pcr-"))
                    .mapToInt(check -> check.passed() ? AFFIRMING : one.failed)
                    .max()
                    .orElse(NO_CLAIM);
            vector.put(one.claim, Math.max(worst, vector.path(one.claim).asInt(NO_CLAIM)));
        });
        return vector.put("runtime-opaque", NO_CLAIM)
                .put("storage-opaque", NO_CLAIM)
                .put("sourced-data", NO_CLAIM);
    }
}
