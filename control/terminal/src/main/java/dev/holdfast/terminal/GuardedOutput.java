package dev.holdfast.terminal;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Standard output in UTF-8, which ends a command that writes to nobody: a {@link PrintStream} alone would keep silent about a closed pipe
 * and a full disk, and the command would say that all is well.
 */
final class GuardedOutput extends FilterOutputStream {
    private final PrintStream stream = new PrintStream(new BufferedOutputStream(this), true, StandardCharsets.UTF_8);
    /** It was told once. */
    private boolean over;

    private GuardedOutput(OutputStream to) {
        super(to);
    }

    static GuardedOutput standard() {
        return new GuardedOutput(new FileOutputStream(FileDescriptor.out));
    }

    static GuardedOutput of(OutputStream to) {
        return new GuardedOutput(to);
    }

    /** Flushed at each end of a line. */
    PrintStream stream() {
        return stream;
    }

    @Override
    public void write(int b) {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        if (over) {
            return;
        }
        try {
            out.write(bytes, offset, length);
        } catch (IOException e) {
            over = true;
            throw new ClosedOutputException(String.valueOf(e.getMessage()));
        }
    }
}
