package dev.holdfast.inference;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** How long requests of one model took lately, and what that says to the next. Thread-safe. */
final class RecentTimes {
    /** Of the newest in the mean, as that of round trips in TCP (RFC 6298, section 2). */
    private static final double NEWEST = 1.0 / 8;
    /** While nothing is known. */
    private static final double FIRST_NANOS = TimeUnit.SECONDS.toNanos(1);

    private double meanNanos;

    /** A request held its place for so long. */
    synchronized void took(long nanos) {
        meanNanos = meanNanos == 0 ? nanos : meanNanos + NEWEST * (nanos - meanNanos);
    }

    /**
     * When one more would have its turn, if all take as long as those before.
     *
     * @param waiting how many are before it
     * @param places how many have their turn at a time
     */
    synchronized Duration untilTurn(int waiting, int places) {
        double each = meanNanos == 0 ? FIRST_NANOS : meanNanos;
        return Duration.ofNanos((long) (each * (waiting + 1) / places));
    }
}
