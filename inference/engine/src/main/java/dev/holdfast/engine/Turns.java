package dev.holdfast.engine;

import java.util.function.IntSupplier;

/** When one answer may compute, and what it is charged for that. Used by the answer's own thread. */
public interface Turns {
    /** Alone on a model: computes at once, and nobody counts. */
    Turns FREE = new Turns() {
        @Override
        public void read(IntSupplier piece) {
            piece.getAsInt();
        }

        @Override
        public void made() {}
    };

    /**
     * Reads a piece of a prompt, or a text that is embedded, when its turn has come.
     *
     * @param piece returns how many tokens it read
     */
    void read(IntSupplier piece);

    /** One token was made. */
    void made();
}
