package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;

import dev.holdfast.engine.TokenShares;
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
 * Threads for jobs that belong to a key, here the name of a model, and to an owner, here a user. A bounded number of one key runs at a
 * time; jobs of different keys never wait for each other. Of one key an owner has a share of the places, which it cannot exceed even
 * while others are free: jobs last long, so a place that is free must stay so for the next owner. The next job is the first of the
 * owner that was given least ({@link TokenShares}), of several the one that runs the fewest; jobs of one owner begin in the order in which they came. Thread-safe.
 */
final class KeyedThreads implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(KeyedThreads.class);
    private static final int IDLE_SECONDS = 60;
    private static final int CLOSE_SECONDS = 5;

    /** Work on a thread; what it returns is run last of all, when the place is free already. */
    @FunctionalInterface
    interface Job extends Supplier<Runnable> {
        /** Whether anybody waits for it still. Asked from any thread; a job that waits and is not wanted is forgotten. */
        default boolean wanted() {
            return true;
        }
    }

    /**
     * Whose job it is.
     *
     * @param bounded whether it has a share; else it may take every place
     */
    record Owner(long id, boolean bounded) {
        /** Nobody in particular, who may take every place. */
        static final Owner ANY = new Owner(-1, false);
    }

    /** What became of a job. */
    enum Admitted {
        /** It runs, or waits for its turn. */
        YES,
        /** There is no room, or this has ended. */
        FULL,
        /** The owner's share is full. */
        SHARE_FULL
    }

    private record Waiting(Owner owner, Job job) {}

    /** The jobs of one key; there is none while nothing of it runs. */
    private static final class Line {
        private final Deque<Waiting> waiting = new ArrayDeque<>();
        private final Map<Owner, Integer> running = new HashMap<>();
        private int runningAll;

        private int running(Owner owner) {
            return running.getOrDefault(owner, 0);
        }

        private int waiting(Owner owner) {
            return (int)
                    waiting.stream().filter(each -> each.owner.equals(owner)).count();
        }

        private void begin(Owner owner) {
            running.merge(owner, 1, Integer::sum);
            runningAll++;
        }

        private void end(Owner owner) {
            running.computeIfPresent(owner, (any, count) -> count > 1 ? count - 1 : null);
            runningAll--;
        }
    }

    /**
     * How much is done at once.
     *
     * @param running jobs of one key at a time
     * @param runningEach of these, of one owner
     * @param waiting jobs of one key that may wait beside them
     * @param waitingEach of these, of one owner
     * @param keys that have jobs at a time
     */
    record Bounds(int running, int runningEach, int waiting, int waitingEach, int keys) {
        Bounds {
            if (running < 1 || runningEach < 1) {
                throw new IllegalArgumentException("a job must be able to run");
            }
        }

        /** Without shares. */
        Bounds(int running, int waiting, int keys) {
            this(running, running, waiting, waiting, keys);
        }
    }

    private final Bounds bounds;
    private final TokenShares shares;
    private final Map<String, Line> lines = new HashMap<>();
    private final ThreadPoolExecutor threads;

    /** Threads whose owners share nothing but their number. */
    KeyedThreads(String role, Bounds bounds) {
        this(role, bounds, new TokenShares());
    }

    /**
     * Threads that end when nothing was to do for a minute.
     *
     * @param role their name
     * @param shares hears whose jobs are there, and says whose turn it is
     */
    KeyedThreads(String role, Bounds bounds, TokenShares shares) {
        this.bounds = bounds;
        this.shares = shares;
        AtomicInteger number = new AtomicInteger();
        this.threads = new ThreadPoolExecutor(
                0, Integer.MAX_VALUE, IDLE_SECONDS, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
                    Thread thread = new Thread(task, role + "-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
    }

    /** Does a job for nobody in particular; false where there is no room for it, and at the end. */
    boolean submit(String key, Job job) {
        return submit(key, Owner.ANY, job) == Admitted.YES;
    }

    /** Does a job on a thread of its own, in its owner's turn. */
    synchronized Admitted submit(String key, Owner owner, Job job) {
        Line known = lines.get(key);
        if (known == null && lines.size() >= bounds.keys) {
            return Admitted.FULL;
        }
        Line line = known == null ? new Line() : known;
        if (line.runningAll == bounds.running || !mayRun(line, owner)) {
            return await(line, new Waiting(owner, job));
        }
        try {
            threads.execute(() -> work(key, new Waiting(owner, job)));
        } catch (RejectedExecutionException | OutOfMemoryError e) {
            // Closed, or the system gives no thread.
            return Admitted.FULL;
        }
        shares.arrive(owner.id);
        line.begin(owner);
        lines.put(key, line);
        return Admitted.YES;
    }

    private boolean mayRun(Line line, Owner owner) {
        return !owner.bounded || line.running(owner) < bounds.runningEach;
    }

    private Admitted await(Line line, Waiting one) {
        forgetUnwanted(line);
        if (one.owner.bounded && line.waiting(one.owner) >= bounds.waitingEach) {
            return Admitted.SHARE_FULL;
        }
        if (line.waiting.size() >= bounds.waiting) {
            return Admitted.FULL;
        }
        shares.arrive(one.owner.id);
        line.waiting.add(one);
        return Admitted.YES;
    }

    private void forgetUnwanted(Line line) {
        line.waiting.removeIf(each -> {
            boolean unwanted = !each.job.wanted();
            if (unwanted) {
                shares.leave(each.owner.id);
            }
            return unwanted;
        });
    }

    /** Jobs that wait for their turn and are wanted still, of all keys. */
    synchronized int waiting() {
        return lines.values().stream()
                .mapToInt(line -> (int)
                        line.waiting.stream().filter(each -> each.job.wanted()).count())
                .sum();
    }

    /** Those of one key. */
    synchronized int waiting(String key) {
        Line line = lines.get(key);
        return line == null ? 0 : line.waiting.size();
    }

    /** Those of one key and owner. */
    synchronized int waiting(String key, Owner owner) {
        Line line = lines.get(key);
        return line == null ? 0 : line.waiting(owner);
    }

    private void work(String key, Waiting first) {
        Waiting now = first;
        while (now != null) {
            Runnable end = run(now.job);
            now = next(key, now.owner);
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

    private synchronized @Nullable Waiting next(String key, Owner ended) {
        Line line = requireNonNull(lines.get(key));
        line.end(ended);
        shares.leave(ended.id);
        Waiting next = threads.isShutdown() ? null : first(line);
        if (next != null) {
            line.waiting.remove(next);
            line.begin(next.owner);
        } else if (line.runningAll == 0) {
            lines.remove(key);
        }
        return next;
    }

    /** Whose turn it is. None of those that wait where each of their owners has its share; whatever ends then begins the next. */
    private @Nullable Waiting first(Line line) {
        forgetUnwanted(line);
        Waiting best = null;
        for (Waiting each : line.waiting) {
            if (mayRun(line, each.owner) && (best == null || before(line, each.owner, best.owner))) {
                best = each;
            }
        }
        return best;
    }

    /** Who was given less; or as much, and runs fewer: what they are given is not counted yet. */
    private boolean before(Line line, Owner one, Owner other) {
        int given = Long.compare(shares.given(one.id), shares.given(other.id));
        return given < 0 || (given == 0 && line.running(one) < line.running(other));
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
