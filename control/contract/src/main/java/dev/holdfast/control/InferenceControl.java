package dev.holdfast.control;

import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.util.List;

/**
 * What the agent asks of the inference process. Every call throws {@link IOException} where the process does not answer, or
 * answers what it may not; a refusal by the process is a rejection.
 */
public interface InferenceControl {
    /** Which models the process holds right now. */
    InferenceStatus status() throws IOException;

    /** Loads {@code slot} beside the serving model and runs its health gate; a {@code GATE-} code says why it was refused. */
    GateReport prepare(Slot slot) throws IOException;

    /** Makes the candidate serve. Does nothing when that digest serves already. */
    Verdict<Flip> flip(Sha256 digest) throws IOException;

    /** Unloads a candidate; does nothing where there is none of that digest. */
    void discard(Sha256 digest) throws IOException;

    /** The last lines that this process and the one before it wrote for a person, oldest first. */
    List<String> recentLog() throws IOException;
}
