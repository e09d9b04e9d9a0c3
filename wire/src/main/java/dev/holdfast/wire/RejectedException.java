package dev.holdfast.wire;

/** Carries a {@link Rejection} out of the depth of a parser; {@link Verdict#of} turns it into a value. */
public final class RejectedException extends Exception implements CodedFailure {
    private static final long serialVersionUID = 1L;

    private final transient Rejection rejection;

    public RejectedException(Rejection rejection) {
        // No stack trace: hostile input must not buy the cost of walking the stack.
        super(rejection.toString(), null, false, false);
        this.rejection = rejection;
    }

    public RejectedException(Code code, String detail) {
        this(new Rejection(code, detail));
    }

    public RejectedException(Code code, String detail, long offset) {
        this(new Rejection(code, detail, offset));
    }

    @Override
    public Rejection rejection() {
        return rejection;
    }
}
