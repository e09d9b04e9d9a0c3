package dev.holdfast.inference;

import dev.holdfast.control.Slot;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.Usage;
import dev.holdfast.wire.Rejection;

/** Gets an answer as it is made. Called by one thread of the engine; only {@link #cancelled} must be thread-safe. */
public interface AnswerListener {
    /** The answer begins, on this model, which it will keep to the end. */
    void begun(Slot model);

    /** More text; may wait for a slow reader. False ends the answer. */
    boolean text(String delta);

    /** The answer is complete. */
    void finished(Slot model, Usage usage, Finish finish);

    /** There is no answer, or no more of it. */
    void failed(Rejection why);

    /** Whether nobody waits any more. */
    boolean cancelled();
}
