package dev.holdfast.control;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.RejectedException;

/** What a command says and returns when it fails, the same for every program. */
public final class CommandFailure {
    /** EX_CONFIG of sysexits.h: starting again would not help. */
    private static final int EX_CONFIG = 78;

    private static final int FAILED = 1;

    private CommandFailure() {}

    public static int exitCode(Exception failure) {
        return failure instanceof RejectedException rejected
                        && rejected.rejection().code() == Code.CFG_INVALID
                ? EX_CONFIG
                : FAILED;
    }

    public static String message(Exception failure) {
        return failure instanceof RejectedException rejected
                ? rejected.rejection().toString()
                : FailureText.of(failure);
    }
}
