package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.time.Instant;
import java.util.Optional;

/** Leaves the forward path of an install. */
final class InstallStop extends Exception {
    private static final long serialVersionUID = 1L;

    /** What the end means. */
    enum Kind {
        /** This install is over: by what was signed, by the gate's judgement on the model, or because a person said so. */
        FAILED,
        /**
         * The model or something else on the device is to blame. The install continues later; so often under one order, and it is over:
         * {@link OrderHistory#MAX_LOSSES}.
         */
        SUSPECT,
        /** Something outside is away, full or busy; the install continues later, however often. */
        INTERRUPTED
    }

    private final Kind kind;
    private final transient Rejection reason;
    private final transient Optional<Instant> until;

    InstallStop(Kind kind, Rejection reason) {
        this(kind, reason, Optional.empty());
    }

    private InstallStop(Kind kind, Rejection reason, Optional<Instant> until) {
        super(reason.toString(), null, false, false);
        this.kind = kind;
        this.reason = reason;
        this.until = until;
    }

    static InstallStop failed(Code code, String detail) {
        return new InstallStop(Kind.FAILED, new Rejection(code, detail));
    }

    static InstallStop suspect(Code code, String detail) {
        return new InstallStop(Kind.SUSPECT, new Rejection(code, detail));
    }

    static InstallStop interrupted(Code code, String detail) {
        return new InstallStop(Kind.INTERRUPTED, new Rejection(code, detail));
    }

    /** Interrupted until a time that is known. */
    static InstallStop waiting(Code code, String detail, Instant until) {
        return new InstallStop(Kind.INTERRUPTED, new Rejection(code, detail), Optional.of(until));
    }

    Kind kind() {
        return kind;
    }

    Rejection reason() {
        return reason;
    }

    /** When it can go on, where that is known. */
    Optional<Instant> until() {
        return until;
    }
}
