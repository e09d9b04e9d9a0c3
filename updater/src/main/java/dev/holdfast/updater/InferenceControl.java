package dev.holdfast.updater;

import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * The control socket of the inference process. Every call throws {@link IOException} where the process does not answer;
 * a refusal by the process is a rejection.
 */
public interface InferenceControl {
    /** Which models the process holds right now. */
    Status status() throws IOException;

    /** Loads {@code slot} beside the serving model and runs its health gate; a {@code GATE-} code says why it was refused. */
    GateReport prepare(Slot slot) throws IOException;

    /** Makes the candidate serve. Does nothing when that digest serves already. */
    Verdict<FlipReport> flip(Sha256 digest) throws IOException;

    /** Unloads a candidate; does nothing where there is none of that digest. */
    void discard(Sha256 digest) throws IOException;

    /** The last lines that this process and the one before it wrote for a person, oldest first. */
    List<String> recentLog() throws IOException;

    /**
     * What the process says of itself.
     *
     * @param serving digest of the model that answers requests
     * @param candidate digest of the model that is loaded beside it
     * @param startedAtMillis start of the process: another value means another process
     * @param pid its process id
     */
    record Status(Optional<Sha256> serving, Optional<Sha256> candidate, long startedAtMillis, long pid) {}

    /** One check of the health gate. */
    record Check(String name, boolean passed, String detail) {}

    /**
     * What the health gate found.
     *
     * @param failure why the model must not serve; empty where it may
     * @param loadMillis time to load and warm up
     * @param checks what was checked
     */
    record GateReport(Optional<Rejection> failure, long loadMillis, List<Check> checks) {
        public GateReport {
            checks = List.copyOf(checks);
        }
    }

    /**
     * @param pauseMicros how long new requests waited
     * @param previous digest that served before
     */
    record FlipReport(long pauseMicros, Optional<Sha256> previous) {}
}
