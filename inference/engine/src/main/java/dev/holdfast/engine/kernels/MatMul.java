package dev.holdfast.engine.kernels;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Multiplies the input of one sequence with one or more matrices, shared among a team by rows; or, by {@link #together}, the inputs
 * of several sequences with the same matrices, each row of which is then read once for all. Belongs to one sequence; a call
 * allocates nothing.
 */
public final class MatMul implements KernelPool.Job {
    /** Below this many multiplications, handing over costs more than it saves. */
    private static final long WORTH_SHARING = 200_000;

    private static final int CHUNKS_PER_THREAD = 4;
    private static final int MAX = 3;
    /** Sequences whose inputs go together. */
    public static final int MAX_TOGETHER = 16;

    private final @Nullable Weights[] weights = new Weights[MAX];
    private final float[][] results = new float[MAX][];
    private Kernels kernels = new ScalarKernels();
    private float[] x = {};
    private final float[][] xs = new float[MAX_TOGETHER][];
    private final float[][][] ys = new float[MAX][MAX_TOGETHER][];
    private int sequences = 1;
    private int count;
    private int tokens;
    private int stride;
    private int rowsEach;
    private int columns;

    /** Begins: {@code tokens} columns of {@code x}; stride 1 means one token. */
    public MatMul of(float[] x, int tokens, int stride) {
        this.x = x;
        this.tokens = tokens;
        this.stride = stride;
        this.count = 0;
        this.columns = 0;
        return this;
    }

    /** Adds {@code y = W x}. */
    public MatMul to(Weights weights, float[] y) {
        this.weights[count] = weights;
        this.results[count++] = y;
        this.columns = Math.max(columns, weights.columns());
        return this;
    }

    /**
     * Puts a sequence into the group that {@link #together} computes: its input and results are what {@code other} was set up
     * with, for the same matrices as here and one token.
     *
     * @param index its place in the group, below {@value #MAX_TOGETHER}
     */
    public void beside(int index, MatMul other) {
        xs[index] = other.x;
        for (int m = 0; m < count; m++) {
            ys[m][index] = other.results[m];
        }
    }

    /** Computes the products of the first {@code size} places, each of which {@link #beside} filled; this one's own is among them. */
    public void together(int size, Workers workers, float[] scratch) {
        sequences = size;
        try {
            run(workers, scratch);
        } finally {
            sequences = 1;
        }
    }

    /** Computes what was added. */
    public void run(Workers workers, float[] scratch) {
        kernels = workers.kernels();
        int rows = 0;
        for (int i = 0; i < count; i++) {
            rows += at(i).rows();
        }
        boolean shared = (long) rows * columns * tokens * sequences >= WORTH_SHARING;
        int wanted = shared ? workers.pool().threads() * CHUNKS_PER_THREAD : 1;
        rowsEach = shared ? Kernels.padded((rows + wanted - 1) / wanted, Kernels.ROWS) : rows;
        int chunks = 0;
        for (int i = 0; i < count; i++) {
            chunks += chunks(i);
        }
        if (shared) {
            workers.pool().run(this, chunks, scratch);
        } else {
            for (int i = 0; i < chunks; i++) {
                chunk(i, scratch);
            }
        }
    }

    private Weights at(int index) {
        return Objects.requireNonNull(weights[index]);
    }

    private int chunks(int index) {
        return (at(index).rows() + rowsEach - 1) / rowsEach;
    }

    @Override
    public int scratchFloats() {
        return Kernels.scratchFloats(columns);
    }

    @Override
    public void chunk(int index, float[] scratch) {
        int matrix = 0;
        int chunk = index;
        for (; chunk >= chunks(matrix); matrix++) {
            chunk -= chunks(matrix);
        }
        Weights work = at(matrix);
        int from = chunk * rowsEach;
        int to = Math.min(from + rowsEach, work.rows());
        if (sequences > 1) {
            kernels.products(work, from, to, xs, ys[matrix], sequences, scratch);
        } else if (stride == 1) {
            kernels.product(work, from, to, x, results[matrix], scratch);
        } else {
            kernels.batchProduct(work, from, to, x, results[matrix], tokens, scratch);
        }
    }
}
