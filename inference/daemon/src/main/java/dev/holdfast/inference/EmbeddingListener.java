package dev.holdfast.inference;

import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.Optional;

/** Gets the vectors of one request. {@link #wanted} and {@link #over} are thread-safe. */
interface EmbeddingListener {
    /** Its turn has come; false where nobody waits for vectors any more, and nothing else is called. */
    default boolean begin() {
        return true;
    }

    /** Whether anybody waits for its turn. */
    default boolean wanted() {
        return true;
    }

    /** Why the work is to end before it is done; asked before each text. */
    default Optional<Rejection> over() {
        return Optional.empty();
    }

    /** All vectors, or why there are none. */
    void done(Verdict<Embeddings> outcome);

    /** There are none yet; after this time it may be worth to ask again. */
    default void busy(Rejection why, Duration wait) {
        done(new Verdict.Rejected<>(why));
    }
}
