package dev.holdfast.agent;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.random.RandomGenerator;

/**
 * How long the agent waits before it looks at its fleet again: the configured pause when all is well, a growing one with
 * jitter after failures, so that a fleet does not come back in step, and never before the service said. One thread.
 */
final class RefreshSchedule {
    private static final Duration FIRST = Duration.ofSeconds(5);
    private static final Duration LONGEST = Duration.ofMinutes(5);
    private static final Duration SHORTEST = Duration.ofSeconds(1);

    private final Duration refresh;
    private final InstantSource clock;
    private final RandomGenerator random;
    private int failures;

    RefreshSchedule(Duration refresh, InstantSource clock, RandomGenerator random) {
        this.refresh = refresh;
        this.clock = clock;
        this.random = random;
    }

    /** The pause when nothing is left to do before {@code next}; {@link Instant#MAX} where nothing is known to come. */
    Duration afterSuccess(Instant next) {
        failures = 0;
        Instant now = clock.instant();
        if (!next.isBefore(now.plus(refresh))) {
            return refresh;
        }
        Duration left = Duration.between(now, next);
        return left.compareTo(SHORTEST) < 0 ? SHORTEST : left;
    }

    /** The pause after a failure: from half to the whole of a doubling time, and at least what the service asked for. */
    Duration afterFailure(Duration asked) {
        long longest = Math.min(LONGEST.toMillis(), Math.max(FIRST.toMillis(), refresh.toMillis()));
        long full = Math.min(longest, FIRST.toMillis() << Math.min(failures++, 20));
        Duration pause = Duration.ofMillis(full / 2 + random.nextLong(full / 2 + 1));
        return pause.compareTo(asked) < 0 ? asked : pause;
    }
}
