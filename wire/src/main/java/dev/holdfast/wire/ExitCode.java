package dev.holdfast.wire;

/**
 * How a program ends: the one table behind every command, its help and the documentation. Numbers from 64 on are those of sysexits.h. A
 * number, once released, keeps its meaning.
 */
public enum ExitCode {
    OK(0, "done; of a question: yes"),
    FAILED(1, "refused or failed; of a question: no"),
    USAGE(2, "the command line does not make sense"),
    UNAVAILABLE(69, "a daemon, the broker or the TEE does not answer"),
    INTERNAL(70, "a fault of the program itself; --debug shows where"),
    TRY_AGAIN(75, "busy or too early; the same may succeed later"),
    PERMISSION(77, "this user may not do that"),
    CONFIGURATION(78, "the configuration cannot be used; starting again does not help"),
    INTERRUPTED(130, "ended by Ctrl-C"),
    CLOSED(141, "whoever read the output ended first, as head does");

    private final int number;
    private final String meaning;

    ExitCode(int number, String meaning) {
        this.number = number;
        this.meaning = meaning;
    }

    public int number() {
        return number;
    }

    public String meaning() {
        return meaning;
    }

    /** How a command ends that was refused with a code. */
    public static ExitCode of(Code code) {
        return switch (code) {
            case CFG_INVALID -> CONFIGURATION;
            case LNK_DOWN, LNK_SILENT, LNK_TLS, TEE_UNAVAILABLE, API_UNREACHABLE -> UNAVAILABLE;
            case LNK_TIMEOUT, ATT_TIMEOUT, API_BUSY, API_DEADLINE, API_NO_MODEL, TEE_LOCKOUT -> TRY_AGAIN;
            case LNK_DENIED, API_FORBIDDEN, API_TOKEN -> PERMISSION;
            default -> FAILED;
        };
    }
}
