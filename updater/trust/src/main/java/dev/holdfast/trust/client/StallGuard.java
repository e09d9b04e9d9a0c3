package dev.holdfast.trust.client;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Closes a stream when its time is up, so that a read which waits for a silent server ends: the HTTP client's own time-out
 * covers no more than the head of an answer. A read that was ended so may look like the end of the data; ask {@link #check}.
 */
final class StallGuard implements AutoCloseable {
    private final AtomicLong deadline;
    private final Thread watcher;
    private volatile boolean expired;

    StallGuard(InputStream body, Duration patience) {
        deadline = new AtomicLong(System.nanoTime() + patience.toNanos());
        watcher = Thread.ofVirtual().name("http-stall-guard").start(() -> watch(body));
    }

    private void watch(InputStream body) {
        try {
            for (long left = left(); left > 0; left = left()) {
                Thread.sleep(Duration.ofNanos(left));
            }
            expired = true;
            body.close();
        } catch (InterruptedException e) {
            // The reader came to its end in time.
        } catch (IOException e) {
            // What cannot be closed is not read any more either.
        }
    }

    private long left() {
        return deadline.get() - System.nanoTime();
    }

    /** Grants {@code patience} from now. */
    void extend(Duration patience) {
        deadline.set(System.nanoTime() + patience.toNanos());
    }

    void check(Object what) throws IOException {
        if (expired || left() <= 0) {
            throw new IOException(what + " came too slowly");
        }
    }

    @Override
    public void close() {
        watcher.interrupt();
    }
}
