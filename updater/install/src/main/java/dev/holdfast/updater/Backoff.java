package dev.holdfast.updater;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * The pauses between attempts: doubling, capped, with jitter from half to the whole, so that a fleet does not come back in
 * step. Thread-safe as far as its randomness is.
 */
record Backoff(Duration first, Duration longest, RandomGenerator random) {
    /** Doubling further would overflow; the cap is reached long before. */
    private static final int MAX_DOUBLINGS = 20;

    /** How long to wait after the failure of this attempt, counted from 0. */
    Duration pause(int attempt) {
        long doubled = Math.max(1, first.toMillis()) << Math.min(attempt, MAX_DOUBLINGS);
        long half = Math.max(1, Math.min(longest.toMillis(), doubled) / 2);
        return Duration.ofMillis(half + random.nextLong(half + 1));
    }
}
