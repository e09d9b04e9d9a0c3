package dev.holdfast.terminal;

/** Standard output takes nothing any more: what prints has nothing left to do. */
final class ClosedOutputException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    /** strerror(EPIPE). */
    private static final String BROKEN_PIPE = "Broken pipe";

    ClosedOutputException(String why) {
        super(why, null, false, false);
    }

    /** Whether whoever read it ended, rather than that it could not be written. */
    boolean isPipe() {
        return BROKEN_PIPE.equals(getMessage());
    }
}
