package dev.holdfast.control;

import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.util.List;

/**
 * What the agent asks of the inference process. Every call throws {@link IOException} where the process does not answer, or
 * answers what it may not; a refusal by the process is a rejection. Calls for different models do not wait for each other.
 */
public interface InferenceControl {
    /** Which models the process holds right now. */
    InferenceStatus status() throws IOException;

    /**
     * Loads {@code slot} beside what serves under its name and runs its health gate; a {@code GATE-} code says why it was
     * refused, {@code INS-MEMORY} that it does not fit beside the others. {@code API-BUSY} is no refusal of the model: ask again.
     */
    GateReport prepare(Slot slot) throws IOException;

    /** Makes the candidate of this slot serve under its name. Does nothing when that slot serves already. */
    Verdict<Flip> flip(SlotId slot) throws IOException;

    /** Unloads a candidate; does nothing where there is none of that slot. */
    void discard(SlotId slot) throws IOException;

    /** Unloads every model and every release in its grace that {@code set} does not name, and makes its default the default. */
    void keep(ServingSet set) throws IOException;

    /**
     * Loads a release that the last {@link #keep} named as in its grace, to answer to its pinned name; does nothing where it does so
     * already. {@code INS-MEMORY} where it does not fit beside the others, {@code API-NOT-FOUND} where {@code keep} did not name it.
     */
    GateReport grace(Slot slot) throws IOException;

    /** The last lines that this process and the one before it wrote for a person, oldest first. */
    List<String> recentLog() throws IOException;
}
