package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;

/** Leaves the forward path of an install. */
final class InstallStop extends Exception {
    private static final long serialVersionUID = 1L;

    /** What the end means. */
    enum Kind {
        /** This install is over. */
        FAILED,
        /** Something outside is away; the install can continue later. */
        INTERRUPTED
    }

    private final Kind kind;
    private final transient Rejection reason;

    InstallStop(Kind kind, Rejection reason) {
        super(reason.toString(), null, false, false);
        this.kind = kind;
        this.reason = reason;
    }

    static InstallStop failed(Code code, String detail) {
        return new InstallStop(Kind.FAILED, new Rejection(code, detail));
    }

    static InstallStop interrupted(Code code, String detail) {
        return new InstallStop(Kind.INTERRUPTED, new Rejection(code, detail));
    }

    Kind kind() {
        return kind;
    }

    Rejection reason() {
        return reason;
    }
}
