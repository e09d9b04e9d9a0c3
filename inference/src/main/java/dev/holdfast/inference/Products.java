package dev.holdfast.inference;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Multiplies matrices, on the caller's thread or together with a few fixed helpers.
 *
 * <p>A product is cut by rows into as many parts as there are threads. Helpers spin for a moment after a part, because
 * the next product follows within microseconds, and then park. When another sequence has the helpers, or the product is
 * too small to be worth waking them, the caller does it alone: no sequence ever waits for another one's helpers.
 * Thread-safe; allocates nothing after construction.
 */
final class Products implements AutoCloseable {
    /** Below this many multiplications, handing over costs more than it saves. */
    private static final long WORTH_SHARING = 200_000;

    private static final int SPINS = 20_000;

    private final Kernels kernels;
    private final Helper[] helpers;
    private final ReentrantLock owner = new ReentrantLock();
    private final AtomicInteger unfinished = new AtomicInteger();

    private @Nullable Weights weights;
    private float[] x = {};
    private float[] y = {};
    private int tokens;
    private int stride;
    private volatile int round;
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

    int threads() {
        return helpers.length + 1;
    }

    /** {@code y = W x} for {@code tokens} columns; stride 1 means one token. */
    void multiply(Weights weights, float[] x, float[] y, int tokens, int stride, float[] scratch) {
        boolean worth = (long) weights.rows() * weights.columns() * tokens >= WORTH_SHARING;
        if (helpers.length == 0 || !worth || !owner.tryLock()) {
            part(weights, 0, weights.rows(), x, y, tokens, stride, scratch);
            return;
        }
        try {
            share(weights, x, y, tokens, stride, scratch);
        } finally {
            owner.unlock();
        }
    }

    private void share(Weights weights, float[] x, float[] y, int tokens, int stride, float[] scratch) {
        this.weights = weights;
        this.x = x;
        this.y = y;
        this.tokens = tokens;
        this.stride = stride;
        unfinished.set(helpers.length);
        round++;
        for (Helper helper : helpers) {
            if (helper.parked) {
                LockSupport.unpark(helper);
            }
        }
        part(weights, 0, bound(1, weights.rows()), x, y, tokens, stride, scratch);
        while (unfinished.get() > 0) {
            Thread.onSpinWait();
        }
    }

    /** Where part {@code index} begins: a multiple of four rows. */
    private int bound(int index, int rows) {
        int threads = helpers.length + 1;
        return index == threads ? rows : (int) ((long) rows * index / threads) / Kernels.ROWS * Kernels.ROWS;
    }

    private void part(
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
        private final int index;
        private float[] scratch = {};
        private volatile boolean parked;

        Helper(int index) {
            super("holdfast-kernel-" + index);
            this.index = index;
            setDaemon(true);
        }

        @Override
        public void run() {
            int seen = 0;
            while (!closed) {
                seen = await(seen);
                Weights work = weights;
                if (closed || work == null) {
                    continue;
                }
                if (scratch.length < Kernels.ROWS * work.columns()) {
                    scratch = new float[Kernels.ROWS * work.columns()];
                }
                part(work, bound(index, work.rows()), bound(index + 1, work.rows()), x, y, tokens, stride, scratch);
                unfinished.decrementAndGet();
            }
        }

        private int await(int seen) {
            for (int i = 0; i < SPINS; i++) {
                if (round != seen) {
                    return round;
                }
                Thread.onSpinWait();
            }
            parked = true;
            while (round == seen && !closed) {
                LockSupport.park(this);
            }
            parked = false;
            return round;
        }
    }
}
