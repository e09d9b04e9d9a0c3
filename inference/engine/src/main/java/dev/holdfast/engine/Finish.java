package dev.holdfast.engine;

/** Why an answer ended. */
public enum Finish {
    /** The model or a stop word ended it. */
    STOP("stop"),
    /** The token limit or the end of the context was reached. */
    LENGTH("length"),
    /** The caller went away. */
    CANCELLED("cancelled");

    private final String wire;

    Finish(String wire) {
        this.wire = wire;
    }

    /** The value of {@code finish_reason}. */
    public String wire() {
        return wire;
    }
}
