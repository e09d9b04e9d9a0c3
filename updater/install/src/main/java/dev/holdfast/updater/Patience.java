package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Waiting that ends at once when an install must stop, and the pauses between attempts.
 *
 * <p>A cancel fails the running install; a stop of the agent interrupts it anywhere; a hold interrupts it only before the
 * swap, since a model that was measured already is better brought to its end. Thread-safe.
 */
final class Patience {
    private final InstallerConfig config;
    private final Timer timer;
    private Optional<Rejection> cancelled = Optional.empty();
    private Optional<Rejection> putOff = Optional.empty();
    private boolean held;
    private boolean stopping;

    Patience(InstallerConfig config, Timer timer) {
        this.config = config;
        this.timer = timer;
    }

    synchronized void cancel(Rejection reason) {
        cancelled = Optional.of(reason);
        notifyAll();
    }

    /** Interrupts a download, which can go on afterwards. */
    synchronized void putOff(Rejection reason) {
        putOff = Optional.of(reason);
        notifyAll();
    }

    synchronized void hold(boolean on) {
        held = on;
        notifyAll();
    }

    /** For good: the agent is stopping. */
    synchronized void stop() {
        stopping = true;
        notifyAll();
    }

    /** Forgets what was meant for an install that is over. */
    synchronized void reset() {
        cancelled = Optional.empty();
        putOff = Optional.empty();
    }

    synchronized void requireGoing() throws InstallStop {
        if (stopping) {
            throw stopped();
        }
        if (cancelled.isPresent()) {
            throw new InstallStop(InstallStop.Kind.FAILED, cancelled.get());
        }
    }

    /** The same before the swap, where a hold counts too. */
    synchronized void requireUnheld() throws InstallStop {
        requireGoing();
        if (held) {
            throw InstallStop.interrupted(Code.INS_PAUSED, "paused by the operator");
        }
        if (putOff.isPresent()) {
            throw new InstallStop(InstallStop.Kind.INTERRUPTED, putOff.get());
        }
    }

    private static InstallStop stopped() {
        return InstallStop.interrupted(Code.INS_CANCELLED, "the agent is stopping");
    }

    @FunctionalInterface
    private interface Check {
        void run() throws InstallStop;
    }

    /** Waits, then goes on unless the install was cancelled meanwhile. */
    void pause(Duration duration) throws InstallStop {
        pause(duration, this::requireGoing);
    }

    /** The same before the swap, where a hold counts too. */
    void pauseUnheld(Duration duration) throws InstallStop {
        pause(duration, this::requireUnheld);
    }

    private synchronized void pause(Duration duration, Check check) throws InstallStop {
        long end = timer.nanos() + duration.toNanos();
        check.run();
        long left = duration.toNanos();
        while (left > 0) {
            try {
                timer.await(this, left);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw stopped();
            }
            check.run();
            left = end - timer.nanos();
        }
    }

    /** Doubling, capped, with jitter from half to the whole, so that a fleet does not come back in step. */
    Duration backoff(int attempt) {
        long first = Math.max(1, config.backoff().toMillis());
        long full = Math.min(config.maxBackoff().toMillis(), first << Math.min(attempt, 20));
        long half = Math.max(1, full / 2);
        return Duration.ofMillis(half + ThreadLocalRandom.current().nextLong(half + 1));
    }

    Deadline deadline(Duration duration) {
        return new Deadline(timer, timer.nanos(), duration);
    }

    TokenBucket bucket() {
        return new TokenBucket(config.bytesPerSecond(), timer::nanos);
    }

    /** A limit on the time in one state. */
    record Deadline(Timer timer, long startNanos, Duration duration) {
        boolean passed() {
            return timer.nanos() - startNanos > duration.toNanos();
        }

        void require(InstallState state) throws InstallStop {
            if (passed()) {
                throw InstallStop.failed(Code.INS_DEADLINE, state + " lasted longer than " + duration);
            }
        }
    }
}
