package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** Waiting that a cancel ends at once, and the pauses between attempts. */
final class Patience {
    private final InstallerConfig config;
    private boolean cancelled;

    Patience(InstallerConfig config) {
        this.config = config;
    }

    synchronized void cancel() {
        cancelled = true;
        notifyAll();
    }

    synchronized void reset() {
        cancelled = false;
    }

    synchronized void requireGoing() throws InstallStop {
        if (cancelled) {
            throw InstallStop.failed(Code.INS_CANCELLED, "cancelled");
        }
    }

    /** Waits, then goes on unless the install was cancelled meanwhile. */
    synchronized void pause(Duration duration) throws InstallStop {
        long end = System.nanoTime() + duration.toNanos();
        requireGoing();
        long left = duration.toNanos();
        while (left > 0) {
            try {
                wait(left / 1_000_000, (int) (left % 1_000_000));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw InstallStop.interrupted(Code.INS_CANCELLED, "the agent is stopping");
            }
            requireGoing();
            left = end - System.nanoTime();
        }
    }

    /** Doubling, capped, with jitter from half to the whole, so that a fleet does not come back in step. */
    Duration backoff(int attempt) {
        long first = Math.max(1, config.backoff().toMillis());
        long full = Math.min(config.maxBackoff().toMillis(), first << Math.min(attempt, 20));
        long half = Math.max(1, full / 2);
        return Duration.ofMillis(half + ThreadLocalRandom.current().nextLong(half + 1));
    }

    static Deadline deadline(Duration duration) {
        return new Deadline(System.nanoTime(), duration);
    }

    /** A limit on the time in one state. */
    record Deadline(long startNanos, Duration duration) {
        boolean passed() {
            return System.nanoTime() - startNanos > duration.toNanos();
        }

        void require(InstallState state) throws InstallStop {
            if (passed()) {
                throw InstallStop.failed(Code.INS_DEADLINE, state + " lasted longer than " + duration);
            }
        }
    }
}
