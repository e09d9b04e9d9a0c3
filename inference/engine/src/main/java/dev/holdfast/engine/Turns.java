package dev.holdfast.engine;

/** When one answer may compute, and what it is charged for that. Used by the answer's own thread. */
public interface Turns {
    /** Alone on a model: computes at once, and nobody counts. */
    Turns FREE = new Turns() {
        @Override
        public void read(int tokens, Piece piece) {
            piece.read(() -> {});
        }

        @Override
        public void made() {}
    };

    /** A piece of a prompt, or a text that is embedded. */
    @FunctionalInterface
    interface Piece {
        /**
         * Reads it.
         *
         * @param pause called between layers; while it lasts, somebody else may read
         * @return how many tokens were read, 0 where nobody wants them any more
         */
        int read(Runnable pause);
    }

    /**
     * Reads a piece when its turn has come.
     *
     * @param tokens how many it has, at most
     */
    void read(int tokens, Piece piece);

    /** One token was made. */
    void made();
}
