package dev.holdfast.inference;

import java.time.Duration;

/**
 * Keeps the heap of this process close to what it needs. The caches of whatever models are ordered are on it, so it has no bound of its
 * own; and the serial collector looks at its old part only when all of the memory that it may have is taken. A flood of requests, each
 * of which lives a little longer than the nursery's last round, would so grow the process to its unit's limit with what nobody needs
 * any more. The thread {@code holdfast-heap} looks each second and has the old part collected when {@value #GARBAGE_MIB} MiB have come
 * since the last time, which a model that is loaded may be, too: then it costs one collection.
 */
final class HeapWatch {
    private static final int GARBAGE_MIB = 96;
    private static final Duration LOOK = Duration.ofSeconds(1);

    private long kept = used();

    /** Begins to watch, until the process ends. */
    static void start() {
        HeapWatch watch = new HeapWatch();
        Thread.ofPlatform().name("holdfast-heap").daemon().start(watch::run);
    }

    private void run() {
        try {
            while (true) {
                Thread.sleep(LOOK);
                look();
            }
        } catch (InterruptedException e) {
            // The process ends.
        }
    }

    void look() {
        if (used() - kept > (long) GARBAGE_MIB << 20) {
            System.gc();
            kept = used();
        } else {
            kept = Math.min(kept, used());
        }
    }

    private static long used() {
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }
}
