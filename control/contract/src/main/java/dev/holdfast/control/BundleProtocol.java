package dev.holdfast.control;

/**
 * How the agent reads an offline bundle that a command holds open at the other end of the control socket. The agent asks for
 * ranges and never learns a path, so it needs no right to the file, and whoever asks for the install needs one. Numbers are
 * big-endian:
 *
 * <pre>
 * to the command    u8 1, i64 offset, i32 length    answered by that many bytes, or the end of the connection
 *                   u8 2                            nothing yet: keeps the connection alive
 *                   u8 3, i32 length, JSON          how it ended
 * </pre>
 */
public final class BundleProtocol {
    /** Value of the header {@code Upgrade}. */
    public static final String NAME = "holdfast-bundle";

    public static final byte READ = 1;
    public static final byte WAIT = 2;
    public static final byte END = 3;
    public static final int MAX_RANGE_BYTES = 64 * 1024;
    public static final int MAX_END_BYTES = 64 * 1024;

    private BundleProtocol() {}
}
