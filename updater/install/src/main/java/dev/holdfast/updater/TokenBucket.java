package dev.holdfast.updater;

import java.util.function.LongSupplier;

/**
 * Keeps an average rate: what is taken must flow in first, and a second's worth may gather. Thread-safe.
 *
 * <p>Blocks are counted before they are asked for, since what was asked for comes as fast as it likes.
 */
final class TokenBucket {
    private static final long SECOND = 1_000_000_000L;

    private volatile long bytesPerSecond;
    private final LongSupplier nanos;
    private double tokens;
    private long filledAt;

    /** A {@code bytesPerSecond} of 0 sets no limit. */
    TokenBucket(long bytesPerSecond, LongSupplier nanos) {
        this.bytesPerSecond = bytesPerSecond;
        this.nanos = nanos;
        this.tokens = bytesPerSecond;
        this.filledAt = nanos.getAsLong();
    }

    /** Another rate from now on; what has gathered, or is owed, stays. */
    synchronized void rate(long other) {
        if (other != bytesPerSecond) {
            tokens = Math.min(tokens, other);
            filledAt = nanos.getAsLong();
            bytesPerSecond = other;
        }
    }

    /** Takes {@code bytes} and says how many nanoseconds to wait before they may flow. More than gathers is a debt. */
    synchronized long take(long bytes) {
        if (bytesPerSecond == 0) {
            return 0;
        }
        long now = nanos.getAsLong();
        tokens = Math.min(bytesPerSecond, tokens + (double) bytesPerSecond * (now - filledAt) / SECOND);
        filledAt = now;
        tokens -= bytes;
        return tokens >= 0 ? 0 : (long) Math.ceil(-tokens * SECOND / bytesPerSecond);
    }

    /** How many blocks to ask for at once: about a second's worth, at least one. */
    int blocks(int most, int blockBytes) {
        long rate = bytesPerSecond;
        return rate == 0 ? most : Math.clamp(rate / blockBytes, 1, most);
    }
}
