package dev.holdfast.inference;

import dev.holdfast.control.Slot;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.Generation;
import dev.holdfast.engine.Usage;
import dev.holdfast.wire.Rejection;
import java.time.Duration;

/**
 * Gets an answer as it is made: {@link #begin}, {@link #pinned}; for each choice {@link #choice}, {@link #begun}, any number of texts and
 * {@link #chosen}; and {@link #finished}. Or, from anywhere before the last, {@link #failed}. Called by one thread of the engine; only
 * {@link #cancelled} and {@link #wanted} must be thread-safe.
 */
public interface AnswerListener extends Generation.Listener {
    /** Its turn has come; false where nobody waits for an answer any more, and nothing else is called. */
    default boolean begin() {
        return true;
    }

    /** Whether anybody waits for its turn. */
    default boolean wanted() {
        return true;
    }

    /** This model takes the request and keeps it to the end. It may still refuse it. */
    void pinned(Slot model);

    /** What follows belongs to this choice, counted from 0. */
    default void choice(int index) {}

    @Override
    void begun();

    /** More text; may wait for a slow reader. False ends the answer. */
    @Override
    boolean text(String delta);

    /** The choice is complete. After one that was cancelled there is no other. */
    void chosen(Usage usage, Finish finish);

    /** All choices are. Their place is free already. */
    void finished();

    /** There is no answer, or no more of it. */
    void failed(Rejection why);

    /** There is no answer yet; after this time it may be worth to ask again. */
    default void busy(Rejection why, Duration wait) {
        failed(why);
    }

    @Override
    boolean cancelled();
}
