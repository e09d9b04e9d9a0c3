package dev.holdfast.engine.kernels;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A caller and a few fixed helpers, who do one job together.
 *
 * <p>A job is cut into chunks, which the caller and the helpers claim one by one from a ticket. A helper that the kernel does
 * not schedule claims nothing and delays nobody. Helpers spin for a moment after the last chunk, because the next job follows
 * within microseconds, and then park. When another caller has the helpers, a caller does its job alone: nobody ever waits for
 * another one's helpers.
 *
 * <p>The ticket holds the number of the job above and the number of unclaimed chunks below. The job is written before the
 * ticket and stays until all claimed chunks are done, so whoever has claimed a chunk sees its job. Where a chunk fails, on whichever
 * thread, the others are done first and then the caller hears of it: no helper is lost, and nobody takes a half-done job for a whole
 * one. What a helper meets outside of a chunk ends the job that is done then, or the next one. Thread-safe; allocates nothing once each
 * helper has seen the job with the longest scratch.
 */
public final class KernelPool implements AutoCloseable {
    private static final int SPINS = 10_000;

    /** Work in chunks that may be done in any order and at once. */
    public interface Job {
        /** Floats of scratch space that a thread needs for a chunk. */
        int scratchFloats();

        void chunk(int index, float[] scratch);
    }

    private final Helper[] helpers;
    private final ReentrantLock owner = new ReentrantLock();
    private final AtomicLong ticket = new AtomicLong();
    private final AtomicInteger undone = new AtomicInteger();
    /** What ended a chunk of this job, the first where there are several; taken by the caller, so that none is lost between jobs. */
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    private @Nullable Job job;
    private volatile boolean closed;

    public KernelPool(int threads) {
        this.helpers = new Helper[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = new Helper(i + 1);
            helpers[i].start();
        }
    }

    int threads() {
        return helpers.length + 1;
    }

    /** Returns when all chunks are done; {@code scratch} is the caller's. */
    public void run(Job job, int chunks, float[] scratch) {
        if (helpers.length == 0 || chunks < 2 || !owner.tryLock()) {
            for (int i = 0; i < chunks; i++) {
                job.chunk(i, scratch);
            }
            return;
        }
        try {
            share(job, chunks, scratch);
        } finally {
            owner.unlock();
        }
    }

    private void share(Job job, int chunks, float[] scratch) {
        this.job = job;
        undone.set(chunks);
        int number = (int) (ticket.get() >>> 32) + 1;
        ticket.set((long) number << 32 | chunks);
        for (Helper helper : helpers) {
            if (helper.parked) {
                LockSupport.unpark(helper);
            }
        }
        work(job, number, scratch);
        for (int spins = 0; undone.get() > 0; spins++) {
            if (spins < SPINS) {
                Thread.onSpinWait();
            } else {
                Thread.yield();
            }
        }
        switch (failure.getAndSet(null)) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new IllegalStateException(e);
        }
    }

    /**
     * Claims and does chunks of job {@code number} until none is left. Each that was claimed is counted, wherever the JVM throws: it
     * tells of a page that cannot be read at a point of its own choice.
     */
    private void work(Job job, int number, float[] scratch) {
        boolean claimed = false;
        while (true) {
            try {
                long now = ticket.get();
                if ((int) (now >>> 32) != number || (int) now == 0) {
                    return;
                }
                claimed = ticket.compareAndSet(now, now - 1);
                if (claimed) {
                    job.chunk((int) now - 1, scratch);
                }
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
            } finally {
                if (claimed) {
                    claimed = false;
                    undone.decrementAndGet();
                }
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Helper helper : helpers) {
            LockSupport.unpark(helper);
        }
    }

    private final class Helper extends Thread {
        private float[] scratch = {};
        private volatile boolean parked;

        Helper(int index) {
            super("holdfast-kernel-" + index);
            setDaemon(true);
        }

        @Override
        public void run() {
            int seen = 0;
            while (!closed) {
                try {
                    seen = await(seen);
                    // This is job `seen` or a later one; a chunk of `seen` can be claimed only in the first case.
                    Job next = job;
                    if (next != null && hasScratch(next)) {
                        work(next, seen, scratch);
                    }
                } catch (Throwable e) {
                    // A thread that ended here would be missed by nobody, and its fault by whoever uses what was
                    // computed.
                    failure.compareAndSet(null, e);
                }
            }
        }

        /** Without memory for it a helper claims nothing: the caller has scratch of its own and does the job alone. */
        private boolean hasScratch(Job next) {
            if (scratch.length < next.scratchFloats()) {
                try {
                    scratch = new float[next.scratchFloats()];
                } catch (OutOfMemoryError e) {
                    return false;
                }
            }
            return true;
        }

        private int await(int seen) {
            for (int i = 0; i < SPINS; i++) {
                int now = (int) (ticket.get() >>> 32);
                if (now != seen) {
                    return now;
                }
                Thread.onSpinWait();
            }
            parked = true;
            while ((int) (ticket.get() >>> 32) == seen && !closed) {
                LockSupport.park(this);
            }
            parked = false;
            return (int) (ticket.get() >>> 32);
        }
    }
}
