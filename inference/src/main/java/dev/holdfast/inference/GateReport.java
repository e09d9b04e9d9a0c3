package dev.holdfast.inference;

import dev.holdfast.wire.Rejection;
import java.util.List;
import java.util.Optional;

/**
 * What the health gate found.
 *
 * @param failure the first check that failed, if one did
 * @param loadMillis from opening the file to ready
 * @param checks every check that was made, in order
 */
public record GateReport(Optional<Rejection> failure, long loadMillis, List<Check> checks) {
    /** One check with its outcome for a person. */
    public record Check(String name, boolean passed, String detail) {}

    public GateReport {
        checks = List.copyOf(checks);
    }

    public boolean passed() {
        return failure.isEmpty();
    }
}
