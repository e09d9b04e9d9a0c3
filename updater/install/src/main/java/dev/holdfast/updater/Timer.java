package dev.holdfast.updater;

/** The time that an install measures itself by, so that a test need not sleep. */
public interface Timer {
    /** Nanoseconds since some moment, growing. */
    long nanos();

    /** Waits on {@code monitor}, which the caller holds, for at most {@code nanos}. */
    void await(Object monitor, long nanos) throws InterruptedException;

    /** The machine's own. */
    Timer SYSTEM = new Timer() {
        @Override
        public long nanos() {
            return System.nanoTime();
        }

        @Override
        public void await(Object monitor, long nanos) throws InterruptedException {
            // Callers look again whether their time is up, so a spurious wake-up does no harm.
            monitor.wait(nanos / 1_000_000, (int) (nanos % 1_000_000));
        }
    };
}
