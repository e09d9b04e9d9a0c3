package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.time.Duration;
import java.util.Optional;

/**
 * What others ask of a running install, and waiting that ends at once when they do.
 *
 * <p>A cancel fails the running install. A stop of the agent interrupts it anywhere. A pause by the operator interrupts it
 * only before the swap, since a model that was measured already is better brought to its end. Putting off interrupts what
 * comes before the swap. Thread-safe.
 */
final class Cancellation {
    private final Timer timer;
    private Optional<Rejection> cancelled = Optional.empty();
    private Optional<Rejection> putOff = Optional.empty();
    private boolean paused;
    private boolean stopping;

    Cancellation(Timer timer) {
        this.timer = timer;
    }

    synchronized void cancel(Rejection reason) {
        cancelled = Optional.of(reason);
        notifyAll();
    }

    /** Interrupts what comes before the swap, and can go on afterwards. */
    synchronized void putOff(Rejection reason) {
        putOff = Optional.of(reason);
        notifyAll();
    }

    synchronized void pause(boolean on) {
        paused = on;
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

    /** The same before the swap, where a pause counts too. */
    synchronized void requireUnpaused() throws InstallStop {
        requireGoing();
        if (paused) {
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
    void sleep(Duration duration) throws InstallStop {
        sleep(duration, this::requireGoing);
    }

    /** The same before the swap, where a pause counts too. */
    void sleepUnpaused(Duration duration) throws InstallStop {
        sleep(duration, this::requireUnpaused);
    }

    private synchronized void sleep(Duration duration, Check check) throws InstallStop {
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

    Deadline deadline(Duration duration) {
        return new Deadline(timer, timer.nanos(), duration);
    }

    /** The time that the waits go by. */
    Timer timer() {
        return timer;
    }

    /** A limit on the time in one state. */
    record Deadline(Timer timer, long startNanos, Duration duration) {
        boolean passed() {
            return timer.nanos() - startNanos > duration.toNanos();
        }

        void require(InstallState state) throws InstallStop {
            if (passed()) {
                // A slow network or disk is no fault of the order.
                throw InstallStop.interrupted(Code.INS_DEADLINE, state + " lasted longer than " + duration);
            }
        }
    }
}
