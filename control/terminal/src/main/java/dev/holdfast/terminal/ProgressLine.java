package dev.holdfast.terminal;

import dev.holdfast.wire.Progress;
import java.io.PrintStream;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.function.LongSupplier;

/**
 * How far a job is: share, bytes, rate, time left. On a terminal one line in columns of fixed width, drawn anew at most five times a
 * second; elsewhere a line each {@value #PLAIN_SECONDS} seconds at most, and none for a job that is shorter. Goes to standard error, so
 * that it is never part of a result. Not thread-safe.
 */
public final class ProgressLine implements Progress, AutoCloseable {
    static final int PLAIN_SECONDS = 5;

    private static final long DRAW_NANOS = 200_000_000;
    private static final long PLAIN_NANOS = PLAIN_SECONDS * 1_000_000_000L;
    private static final int WHAT_CHARS = 14;
    /** Of 99.9, which is longer than 138. */
    private static final int MIN_BYTES_CHARS = 4;

    private static final int RATE_CHARS = 12;
    private static final int LEFT_CHARS = 13;
    private static final int MIN_BAR = 8;
    private static final int MAX_BAR = 24;

    private final PrintStream out;
    private final Terminal terminal;
    private final LongSupplier nanos;
    private String what;
    private Rate rate = new Rate();
    private long drawn;
    private boolean open;
    private int longest;

    /**
     * @param what the job in one word, such as {@code downloading}
     * @param terminal what {@code out} leads to
     */
    public ProgressLine(PrintStream out, Terminal terminal, String what) {
        this(out, terminal, what, System::nanoTime);
    }

    ProgressLine(PrintStream out, Terminal terminal, String what, LongSupplier nanos) {
        this.out = out;
        this.terminal = terminal;
        this.what = what;
        this.nanos = nanos;
        this.drawn = nanos.getAsLong();
    }

    /** Another job begins, if its name is another; the line of the one before stays. */
    public void step(String next) {
        if (!next.equals(what)) {
            rest();
            what = next;
            rate = new Rate();
        }
    }

    @Override
    public void at(long done, long total) {
        long now = nanos.getAsLong();
        rate.at(now, done, total);
        boolean last = done >= total;
        if (now - drawn < (terminal.isTerminal() ? DRAW_NANOS : PLAIN_NANOS) && !(last && open)) {
            return;
        }
        drawn = now;
        if (terminal.isTerminal()) {
            open = true;
            draw(columns(Math.min(done, total), total));
        } else {
            out.println(words(Math.min(done, total), total));
        }
    }

    /** In columns that keep their places. */
    private String columns(long done, long total) {
        String whole = Units.mib(total);
        String bytes = String.format(
                Locale.ROOT, "%" + Math.max(MIN_BYTES_CHARS, whole.length()) + "s / %s MiB", Units.mib(done), whole);
        String fast =
                rate.perSecond().isPresent() ? Units.mib((long) rate.perSecond().getAsDouble()) + " MiB/s" : "";
        String end = String.format(
                Locale.ROOT,
                "  %s%" + RATE_CHARS + "s  %-" + LEFT_CHARS + "s",
                bytes,
                fast,
                done < total ? left() : "");
        String start = String.format(Locale.ROOT, "%-" + WHAT_CHARS + "s %3d %%", what, percent(done, total));
        int bar = Math.min(MAX_BAR, terminal.width() - 1 - start.length() - end.length() - 4);
        return start + (bar < MIN_BAR ? "" : "  " + bar(done, total, bar)) + end;
    }

    private String bar(long done, long total, int chars) {
        int full = total <= 0 ? 0 : (int) (chars * (double) done / total);
        return terminal.unicode()
                ? "\u2595" + "\u2588".repeat(full) + " ".repeat(chars - full) + "\u258f"
                : "[" + "#".repeat(full) + " ".repeat(chars - full) + "]";
    }

    private String words(long done, long total) {
        StringBuilder line = new StringBuilder(
                what + " " + percent(done, total) + " %, " + Units.mib(done) + " of " + Units.mib(total) + " MiB");
        rate.perSecond()
                .ifPresent(
                        fast -> line.append(", ").append(Units.mib((long) fast)).append(" MiB/s"));
        String left = left();
        return left.isEmpty() ? line.toString() : line + ", " + left;
    }

    private static int percent(long done, long total) {
        return total <= 0 ? 0 : (int) (100 * done / total);
    }

    private String left() {
        OptionalLong seconds = rate.secondsLeft();
        if (seconds.isEmpty()) {
            return "";
        }
        long left = seconds.getAsLong();
        return left < 100
                ? left + " s left"
                : left < 6000 ? (left + 59) / 60 + " min left" : (left + 3599) / 3600 + " h left";
    }

    private void draw(String line) {
        int most = Math.max(1, terminal.width() - 1);
        String shown = line.length() > most ? line.substring(0, most) : line;
        longest = Math.max(longest, shown.length());
        out.print("\r" + Page.padded(shown, longest));
        out.flush();
    }

    @Override
    public void close() {
        rest();
    }

    /** Whatever else is printed now begins on a line of its own; the last state stays where it is. */
    public void rest() {
        if (open) {
            out.println();
            out.flush();
            open = false;
            longest = 0;
        }
    }
}
