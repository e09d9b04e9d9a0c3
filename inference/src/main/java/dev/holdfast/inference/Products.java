package dev.holdfast.inference;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Multiplies matrices, on the caller's thread or together with a few fixed helpers.
 *
 * <p>A product is cut by rows into chunks, which the caller and the helpers claim one by one from a ticket. A helper that
 * the kernel does not schedule claims nothing and delays nobody. Helpers spin for a moment after the last chunk, because
 * the next product follows within microseconds, and then park. When another sequence has the helpers, or the product is
 * too small to be worth waking them, the caller does it alone: no sequence ever waits for another one's helpers.
 *
 * <p>The ticket holds the number of the product above and the number of unclaimed chunks below. What the chunks are is
 * written before the ticket and stays until all claimed chunks are done, so whoever has claimed a chunk sees its product.
 * Thread-safe; allocates nothing after construction.
 */
final class Products implements AutoCloseable {
    /** Below this many multiplications, handing over costs more than it saves. */
    private static final long WORTH_SHARING = 200_000;

    private static final int CHUNKS_PER_THREAD = 4;
    private static final int SPINS = 10_000;

    private final Kernels kernels;
    private final Helper[] helpers;
    private final ReentrantLock owner = new ReentrantLock();
    private final AtomicLong ticket = new AtomicLong();
    private final AtomicInteger undone = new AtomicInteger();

    private @Nullable Weights weights;
    private float[] x = {};
    private float[] y = {};
    private int tokens;
    private int stride;
    private int chunkRows;
    private volatile boolean closed;

    Products(Kernels kernels, int threads) {
        this.kernels = kernels;
        this.helpers = new Helper[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = new Helper(i + 1);
            helpers[i].start();
        }
    }

    Kernels kernels() {
        return kernels;
    }

    /** {@code y = W x} for {@code tokens} columns; stride 1 means one token. */
    void multiply(Weights weights, float[] x, float[] y, int tokens, int stride, float[] scratch) {
        boolean worth = (long) weights.rows() * weights.columns() * tokens >= WORTH_SHARING;
        if (helpers.length == 0 || !worth || !owner.tryLock()) {
            rows(weights, 0, weights.rows(), x, y, tokens, stride, scratch);
            return;
        }
        try {
            share(weights, x, y, tokens, stride, scratch);
        } finally {
            owner.unlock();
        }
    }

    private void share(Weights weights, float[] x, float[] y, int tokens, int stride, float[] scratch) {
        int wanted = (helpers.length + 1) * CHUNKS_PER_THREAD;
        int rowsEach = Sequence.padded((weights.rows() + wanted - 1) / wanted, Kernels.ROWS);
        int chunks = (weights.rows() + rowsEach - 1) / rowsEach;
        this.weights = weights;
        this.x = x;
        this.y = y;
        this.tokens = tokens;
        this.stride = stride;
        this.chunkRows = rowsEach;
        undone.set(chunks);
        int product = (int) (ticket.get() >>> 32) + 1;
        ticket.set((long) product << 32 | chunks);
        for (Helper helper : helpers) {
            if (helper.parked) {
                LockSupport.unpark(helper);
            }
        }
        work(product, scratch);
        for (int spins = 0; undone.get() > 0; spins++) {
            if (spins < SPINS) {
                Thread.onSpinWait();
            } else {
                Thread.yield();
            }
        }
    }

    /** Claims and computes chunks of this product until none is left. */
    private void work(int product, float[] scratch) {
        for (long now = ticket.get(); (int) (now >>> 32) == product && (int) now > 0; now = ticket.get()) {
            if (ticket.compareAndSet(now, now - 1)) {
                try {
                    chunk((int) now - 1, scratch);
                } finally {
                    undone.decrementAndGet();
                }
            }
        }
    }

    private void chunk(int index, float[] scratch) {
        Weights work = weights;
        if (work != null) {
            int from = index * chunkRows;
            rows(work, from, Math.min(from + chunkRows, work.rows()), x, y, tokens, stride, scratch);
        }
    }

    private void rows(
            Weights weights, int from, int to, float[] x, float[] y, int tokens, int stride, float[] scratch) {
        if (stride == 1) {
            kernels.product(weights, from, to, x, y, scratch);
        } else {
            kernels.batchProduct(weights, from, to, x, y, tokens, scratch);
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
                seen = await(seen);
                Weights next = weights;
                if (next != null) {
                    // These weights belong to product `seen` or to a later one; a chunk of `seen` can be claimed only
                    // in the first case.
                    if (scratch.length < Kernels.ROWS * next.columns()) {
                        scratch = new float[Kernels.ROWS * next.columns()];
                    }
                    work(seen, scratch);
                }
            }
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
