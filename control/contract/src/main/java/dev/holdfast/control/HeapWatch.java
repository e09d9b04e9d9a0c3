package dev.holdfast.control;

import java.time.Duration;

/**
 * Keeps the heap of this process close to what it needs. The serial collector looks at its old part only when all of the memory that it
 * may have is taken. A flood of requests, each of which lives a little longer than the nursery's last round, would so grow the process to
 * its limit with what nobody needs any more. The thread {@code holdfast-heap} looks each second and has the old part collected when so
 * much has come since the last time, which a model that is loaded may be, too: then it costs one collection.
 */
public final class HeapWatch {
    private static final Duration LOOK = Duration.ofSeconds(1);

    private final long garbageBytes;
    private long kept = used();

    /** @param garbageMib what may come before it is collected */
    HeapWatch(int garbageMib) {
        this.garbageBytes = (long) garbageMib << 20;
    }

    /**
     * Begins to watch, until the process ends.
     *
     * @param garbageMib what may come before it is collected, in MiB
     */
    public static void start(int garbageMib) {
        HeapWatch watch = new HeapWatch(garbageMib);
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
        if (used() - kept > garbageBytes) {
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
