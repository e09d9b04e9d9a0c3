package dev.holdfast.engine;

import java.util.function.IntPredicate;

/**
 * Rules tokens out before one is chosen: sets their logits to negative infinity. The seam for output that must follow a
 * form. A mask may have state; it then belongs to one answer.
 */
@FunctionalInterface
interface LogitMask {
    LogitMask NONE = logits -> {};

    /** Called before each choice; {@code logits[token]} may be changed in place. */
    void apply(float[] logits);

    /** Hears each choice. */
    default void chosen(int token) {}

    /** Never these tokens. */
    static LogitMask without(IntPredicate tokens) {
        return logits -> {
            for (int id = 0; id < logits.length; id++) {
                if (tokens.test(id)) {
                    logits[id] = Float.NEGATIVE_INFINITY;
                }
            }
        };
    }
}
