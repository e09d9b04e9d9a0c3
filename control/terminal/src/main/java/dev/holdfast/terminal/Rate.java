package dev.holdfast.terminal;

import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * How fast a job goes: over the last ten seconds, in buckets of one second. What was done before its first word does not count, and the
 * time left is told only once the estimate falls. Not thread-safe.
 */
final class Rate {
    private static final int BUCKETS = 10;
    private static final double SECOND = 1e9;
    /** A guess that rises by more than this is no guess any more. */
    private static final double RISE = 1.5;

    private final long[] nanos = new long[BUCKETS];
    private final long[] done = new long[BUCKETS];
    private int count;
    private long now;
    private long reached;
    private double estimate = Double.NaN;
    private boolean falls;

    /** Says how far the job is at a moment of a clock that never goes back. */
    void at(long moment, long bytes, long total) {
        now = moment;
        reached = bytes;
        int last = (count + BUCKETS - 1) % BUCKETS;
        if (count > 0 && moment - nanos[last] < SECOND) {
            return;
        }
        nanos[count % BUCKETS] = moment;
        done[count % BUCKETS] = bytes;
        count++;
        perSecond().ifPresent(rate -> guess(rate <= 0 ? Double.POSITIVE_INFINITY : (total - bytes) / rate));
    }

    private void guess(double next) {
        if (next < estimate) {
            falls = true;
        } else if (next > RISE * estimate) {
            falls = false;
        }
        estimate = next;
    }

    /** Bytes a second; nothing in the first. */
    OptionalDouble perSecond() {
        int oldest = count <= BUCKETS ? 0 : count % BUCKETS;
        double seconds = (now - nanos[oldest]) / SECOND;
        return count == 0 || seconds < 1
                ? OptionalDouble.empty()
                : OptionalDouble.of((reached - done[oldest]) / seconds);
    }

    /** Seconds until the end, where a guess is worth something. */
    OptionalLong secondsLeft() {
        return falls && Double.isFinite(estimate) ? OptionalLong.of((long) Math.ceil(estimate)) : OptionalLong.empty();
    }
}
