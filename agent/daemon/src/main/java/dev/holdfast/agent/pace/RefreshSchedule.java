package dev.holdfast.agent.pace;

import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;

/**
 * How long the agent waits before it looks at its fleet again: the configured pause when all is well, a growing one
 * after failures, both with jitter, so that a fleet does not come back in step, and never before the service said. One thread.
 */
public final class RefreshSchedule {
    private static final Duration FIRST = Duration.ofSeconds(5);
    private static final Duration LONGEST = Duration.ofMinutes(5);
    /** A look costs the service more than a connection costs the broker: the jitter of that one is not enough. */
    private static final Duration MOST_AFTER_OUTAGE = Duration.ofSeconds(30);

    private static final Duration SHORTEST = Duration.ofSeconds(1);

    private final Supplier<Duration> longest;
    private final RandomGenerator random;
    private int failures;

    public RefreshSchedule(Duration refresh, RandomGenerator random) {
        this(() -> refresh, random);
    }

    /** @param longest the configured pause, which may change */
    public RefreshSchedule(Supplier<Duration> longest, RandomGenerator random) {
        this.longest = longest;
        this.random = random;
    }

    /**
     * The pause when nothing is left to do before {@code next} is over; empty where nothing is known to come. It is a little
     * shorter each time, by chance: a fleet that looked together once, as after an outage, does not go on doing so.
     */
    public Duration afterSuccess(Optional<Duration> next) {
        failures = 0;
        Duration refresh = longest.get();
        long quarter = refresh.toMillis() / 4;
        Duration pause = refresh.minusMillis(random.nextLong(quarter + 1));
        Duration left = next.filter(earlier -> earlier.compareTo(pause) < 0).orElse(pause);
        return left.compareTo(SHORTEST) < 0 ? SHORTEST : left;
    }

    /** How long to wait with the first look after an outage that many devices had together. */
    public Duration afterOutage() {
        long most = Math.min(MOST_AFTER_OUTAGE.toMillis(), longest.get().toMillis() / 20);
        return Duration.ofMillis(random.nextLong(most + 1));
    }

    /** The pause after a failure: from half to the whole of a doubling time, and at least what the service asked for. */
    public Duration afterFailure(Duration asked) {
        long most = Math.min(
                LONGEST.toMillis(), Math.max(FIRST.toMillis(), longest.get().toMillis()));
        long full = Math.min(most, FIRST.toMillis() << Math.min(failures++, 20));
        Duration pause = Duration.ofMillis(full / 2 + random.nextLong(full / 2 + 1));
        return pause.compareTo(asked) < 0 ? asked : pause;
    }
}
