package dev.holdfast.inference;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Keeps the last of what this process writes to standard error in a small file, so that its successor can tell the agent
 * why it died: the agent has no way to the journal of another unit. Neither prompts nor answers are ever written there.
 * Thread-safe.
 */
public final class CrashLog {
    private static final int MAX_LINES = 40;
    private static final int KEEP_BYTES = 8 * 1024;
    private static final int MAX_FILE_BYTES = 4 * KEEP_BYTES;

    private final List<String> predecessor;
    private final byte[] tail = new byte[KEEP_BYTES];
    private final FileChannel file;
    /** Bytes written since the start; the last {@link #KEEP_BYTES} of them are in {@link #tail}, at their number modulo that. */
    private long count;

    private CrashLog(FileChannel file, List<String> predecessor) {
        this.file = file;
        this.predecessor = predecessor;
    }

    /** Reads what the process before left in {@code file} and from now on copies standard error there. Once per process. */
    public static CrashLog capture(Path file) throws IOException {
        CrashLog words = open(file);
        System.setErr(new PrintStream(words.copying(System.err), true, StandardCharsets.UTF_8));
        return words;
    }

    static CrashLog open(Path file) throws IOException {
        List<String> before = List.of();
        if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && Files.size(file) <= 2L * MAX_FILE_BYTES) {
            byte[] bytes = Files.readAllBytes(file);
            before = lines(Arrays.copyOfRange(bytes, Math.max(0, bytes.length - KEEP_BYTES), bytes.length));
        }
        return new CrashLog(
                FileChannel.open(
                        file,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        LinkOption.NOFOLLOW_LINKS),
                before);
    }

    OutputStream copying(OutputStream original) {
        return new OutputStream() {
            @Override
            public void write(int one) throws IOException {
                write(new byte[] {(byte) one}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                original.write(bytes, offset, length);
                keep(bytes, offset, length);
            }

            @Override
            public void flush() throws IOException {
                original.flush();
            }
        };
    }

    /** Keeps a line that went another way than standard error. */
    void keep(String line) {
        byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
        keep(bytes, 0, bytes.length);
    }

    private synchronized void keep(byte[] bytes, int offset, int length) {
        for (int i = Math.max(0, length - KEEP_BYTES); i < length; i++) {
            tail[(int) ((count + i) % KEEP_BYTES)] = bytes[offset + i];
        }
        count += length;
        try {
            if (file.size() + length > MAX_FILE_BYTES) {
                file.truncate(0);
                file.write(ByteBuffer.wrap(tail()));
            } else {
                file.write(ByteBuffer.wrap(bytes, offset, length));
            }
        } catch (IOException e) {
            // A full disk must not silence standard error itself.
            return;
        }
    }

    private byte[] tail() {
        int length = (int) Math.min(count, KEEP_BYTES);
        byte[] out = new byte[length];
        for (int i = 0; i < length; i++) {
            out[i] = tail[(int) ((count - length + i) % KEEP_BYTES)];
        }
        return out;
    }

    /** The last lines of the process before, then those of this one; at most 40 of each. */
    synchronized List<String> lines() {
        List<String> all = new ArrayList<>(predecessor);
        all.addAll(lines(tail()));
        return all;
    }

    private static List<String> lines(byte[] bytes) {
        List<String> lines = new String(bytes, StandardCharsets.UTF_8).lines().toList();
        return lines.subList(Math.max(0, lines.size() - MAX_LINES), lines.size());
    }
}
