package dev.holdfast.fleet.cli;

import dev.holdfast.delta.Progress;
import java.io.PrintWriter;
import java.util.Locale;

/**
 * One line that says how far a job is: bytes, rate, time left. Redrawn at most five times a second, and only on a terminal or
 * where asked for; the rate is the whole job's, so that it does not jump. Not thread-safe.
 */
final class ProgressLine implements Progress, AutoCloseable {
    private static final long EVERY_NANOS = 200_000_000;

    private final PrintWriter out;
    private final boolean shown;
    private final long start = System.nanoTime();
    private long drawn = start;
    private boolean open;

    private ProgressLine(PrintWriter out, boolean shown) {
        this.out = out;
        this.shown = shown;
    }

    static ProgressLine on(PrintWriter out, boolean always) {
        return new ProgressLine(
                out, always || System.console() != null && System.console().isTerminal());
    }

    @Override
    public void at(long done, long total) {
        long now = System.nanoTime();
        if (!shown || now - drawn < EVERY_NANOS) {
            return;
        }
        drawn = now;
        open = true;
        double seconds = (now - start) / 1e9;
        double rate = done / seconds;
        out.printf(
                Locale.ROOT,
                "\r%,13d of %,d bytes  %5.1f %%  %6.1f MB/s  %4.0f s left ",
                Math.min(done, total),
                total,
                Math.min(100.0, 100.0 * done / Math.max(1, total)),
                rate / 1e6,
                Math.max(0, (total - done) / Math.max(1, rate)));
        out.flush();
    }

    @Override
    public void close() {
        if (open) {
            out.println();
            out.flush();
        }
    }
}
