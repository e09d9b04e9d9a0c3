package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Threads for jobs that belong to a key, here the name of a model. Jobs of one key begin in the order in which they came, a bounded
 * number at a time; jobs of different keys never wait for each other. Thread-safe.
 */
final class KeyedThreads implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(KeyedThreads.class);
    private static final int IDLE_SECONDS = 60;
    private static final int CLOSE_SECONDS = 5;

    /** The jobs of one key; there is none while nothing of it runs. */
    private static final class Line {
        private final Deque<Supplier<Runnable>> waiting = new ArrayDeque<>();
        private int running;
    }

    /**
     * How much is done at once.
     *
     * @param running jobs of one key at a time
     * @param waiting jobs of one key that may wait beside them
     * @param keys that have jobs at a time
     */
    record Bounds(int running, int waiting, int keys) {}

    private final Bounds bounds;
    private final Map<String, Line> lines = new HashMap<>();
    private final ThreadPoolExecutor threads;

    /** Threads named by their {@code role}; they end when nothing was to do for a minute. */
    KeyedThreads(String role, Bounds bounds) {
        this.bounds = bounds;
        AtomicInteger number = new AtomicInteger();
        this.threads = new ThreadPoolExecutor(
                0, Integer.MAX_VALUE, IDLE_SECONDS, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
                    Thread thread = new Thread(task, role + "-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
    }

    /**
     * Does a job on a thread of its own.
     *
     * @param job what it returns is run last of all, when the place is free already
     * @return false where there is no room for it, and at the end
     */
    synchronized boolean submit(String key, Supplier<Runnable> job) {
        Line known = lines.get(key);
        if (known == null && lines.size() >= bounds.keys) {
            return false;
        }
        Line line = known == null ? new Line() : known;
        if (line.running == bounds.running) {
            return line.waiting.size() < bounds.waiting && line.waiting.add(job);
        }
        try {
            threads.execute(() -> work(key, job));
        } catch (RejectedExecutionException | OutOfMemoryError e) {
            // Closed, or the system gives no thread.
            return false;
        }
        line.running++;
        lines.put(key, line);
        return true;
    }

    private void work(String key, Supplier<Runnable> first) {
        Supplier<Runnable> job = first;
        while (job != null) {
            Runnable end = run(job);
            job = next(key);
            run(() -> {
                end.run();
                return () -> {};
            });
        }
    }

    private static Runnable run(Supplier<Runnable> job) {
        try {
            return job.get();
        } catch (RuntimeException | Error e) {
            // The type only: a message might quote what a user wrote. The line goes on.
            LOG.error("a job ended in {}", e.getClass().getName());
            return () -> {};
        }
    }

    private synchronized @Nullable Supplier<Runnable> next(String key) {
        Line line = requireNonNull(lines.get(key));
        Supplier<Runnable> next = threads.isShutdown() ? null : line.waiting.poll();
        if (next == null && --line.running == 0) {
            lines.remove(key);
        }
        return next;
    }

    /** Interrupts what runs, forgets what waits, and waits a moment for the end. */
    @Override
    public void close() {
        threads.shutdownNow();
        try {
            threads.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
