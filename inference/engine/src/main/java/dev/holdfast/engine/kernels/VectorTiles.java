package dev.holdfast.engine.kernels;

import static jdk.incubator.vector.VectorOperators.ADD;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Rows of weights times several vectors by the Vector API. A few rows are unpacked to {@code scratch}, where they stay in the first-level
 * cache, and multiplied in tiles whose sums stay in registers: three rows by eight vectors where there are 32 registers of 512 bits, else
 * two by four. So each weight is widened once for all vectors, and each vector loaded once for the rows of a tile.
 *
 * <p>Taking the weights from the file in the tile's own loop came out a quarter slower: the bounds checks of a mapped file are then in it.
 */
final class VectorTiles {
    private static final VectorSpecies<Float> F = VectorKernels.FLOATS;
    private static final int LANES = F.length();
    private static final boolean WIDE = LANES >= 16;
    private static final int EIGHT = 8;
    private static final int FOUR = 4;
    /** Rows of a tile; so many are unpacked together. */
    private static final int ROWS = WIDE ? 3 : 2;
    /** So few vectors are multiplied one by one. */
    private static final int FEW = 2;

    private VectorTiles() {}

    /**
     * {@code ys[i][r] = W[r] . xs[i]} for rows {@code from} to {@code to} and the first {@code count} vectors.
     *
     * @param scratch room for the rows of a tile, and its sums
     */
    static void products(Weights weights, int from, int to, float[][] xs, float[][] ys, int count, float[] scratch) {
        int apart = (to - from) / ROWS;
        for (int r = from; r < from + apart; r++) {
            tile(weights, r, apart, ROWS, xs, ys, count, scratch);
        }
        for (int r = from + ROWS * apart; r < to; r++) {
            tile(weights, r, 1, 1, xs, ys, count, scratch);
        }
    }

    /** Row {@code r} and those behind it that are {@code apart}: with {@code rows} of them, by all vectors. */
    private static void tile(
            Weights weights, int r, int apart, int rows, float[][] xs, float[][] ys, int count, float[] scratch) {
        int columns = weights.columns();
        int sums = ROWS * columns;
        for (int i = 0; i < rows; i++) {
            VectorRows.unpack(weights, r + i * apart, scratch, i * columns);
        }
        int done = 0;
        while (count - done > FEW) {
            boolean eight = WIDE && count - done > FOUR;
            int end = Math.min(done + (eight ? EIGHT : FOUR), count);
            if (eight) {
                eight(scratch, columns, xs, done, end - 1, scratch, sums);
            } else {
                four(scratch, columns, rows, xs, done, end - 1, scratch, sums);
            }
            for (int i = done; i < end; i++) {
                for (int row = 0; row < rows; row++) {
                    ys[i][r + row * apart] = scratch[sums + row * EIGHT + i - done];
                }
            }
            done = end;
        }
        for (; done < count; done++) {
            for (int row = 0; row < rows; row++) {
                ys[done][r + row * apart] = VectorKernels.dot(scratch, row * columns, xs[done], 0, columns);
            }
        }
    }

    /** Three rows by the vectors from {@code first} to {@code last}, which stands for those that are missing. */
    private static void eight(float[] rows, int columns, float[][] xs, int first, int last, float[] out, int at) {
        eight(
                rows,
                columns,
                xs[first],
                xs[Math.min(first + 1, last)],
                xs[Math.min(first + 2, last)],
                xs[Math.min(first + 3, last)],
                xs[Math.min(first + 4, last)],
                xs[Math.min(first + 5, last)],
                xs[Math.min(first + 6, last)],
                xs[Math.min(first + 7, last)],
                out,
                at);
        for (int i = 0; i < ROWS * EIGHT; i++) {
            out[at + i] += rest(rows, i / EIGHT * columns, columns, xs[Math.min(first + i % EIGHT, last)]);
        }
    }

    private static void eight(
            float[] rows,
            int columns,
            float[] x0,
            float[] x1,
            float[] x2,
            float[] x3,
            float[] x4,
            float[] x5,
            float[] x6,
            float[] x7,
            float[] out,
            int at) {
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        FloatVector a4 = a0;
        FloatVector a5 = a0;
        FloatVector a6 = a0;
        FloatVector a7 = a0;
        FloatVector b0 = a0;
        FloatVector b1 = a0;
        FloatVector b2 = a0;
        FloatVector b3 = a0;
        FloatVector b4 = a0;
        FloatVector b5 = a0;
        FloatVector b6 = a0;
        FloatVector b7 = a0;
        FloatVector c0 = a0;
        FloatVector c1 = a0;
        FloatVector c2 = a0;
        FloatVector c3 = a0;
        FloatVector c4 = a0;
        FloatVector c5 = a0;
        FloatVector c6 = a0;
        FloatVector c7 = a0;
        int whole = columns - columns % LANES;
        for (int i = 0; i < whole; i += LANES) {
            FloatVector a = FloatVector.fromArray(F, rows, i);
            FloatVector b = FloatVector.fromArray(F, rows, columns + i);
            FloatVector c = FloatVector.fromArray(F, rows, 2 * columns + i);
            FloatVector x = FloatVector.fromArray(F, x0, i);
            a0 = a.fma(x, a0);
            b0 = b.fma(x, b0);
            c0 = c.fma(x, c0);
            x = FloatVector.fromArray(F, x1, i);
            a1 = a.fma(x, a1);
            b1 = b.fma(x, b1);
            c1 = c.fma(x, c1);
            x = FloatVector.fromArray(F, x2, i);
            a2 = a.fma(x, a2);
            b2 = b.fma(x, b2);
            c2 = c.fma(x, c2);
            x = FloatVector.fromArray(F, x3, i);
            a3 = a.fma(x, a3);
            b3 = b.fma(x, b3);
            c3 = c.fma(x, c3);
            x = FloatVector.fromArray(F, x4, i);
            a4 = a.fma(x, a4);
            b4 = b.fma(x, b4);
            c4 = c.fma(x, c4);
            x = FloatVector.fromArray(F, x5, i);
            a5 = a.fma(x, a5);
            b5 = b.fma(x, b5);
            c5 = c.fma(x, c5);
            x = FloatVector.fromArray(F, x6, i);
            a6 = a.fma(x, a6);
            b6 = b.fma(x, b6);
            c6 = c.fma(x, c6);
            x = FloatVector.fromArray(F, x7, i);
            a7 = a.fma(x, a7);
            b7 = b.fma(x, b7);
            c7 = c.fma(x, c7);
        }
        out[at] = a0.reduceLanes(ADD);
        out[at + 1] = a1.reduceLanes(ADD);
        out[at + 2] = a2.reduceLanes(ADD);
        out[at + 3] = a3.reduceLanes(ADD);
        out[at + FOUR] = a4.reduceLanes(ADD);
        out[at + FOUR + 1] = a5.reduceLanes(ADD);
        out[at + FOUR + 2] = a6.reduceLanes(ADD);
        out[at + FOUR + 3] = a7.reduceLanes(ADD);
        out[at + EIGHT] = b0.reduceLanes(ADD);
        out[at + EIGHT + 1] = b1.reduceLanes(ADD);
        out[at + EIGHT + 2] = b2.reduceLanes(ADD);
        out[at + EIGHT + 3] = b3.reduceLanes(ADD);
        out[at + EIGHT + FOUR] = b4.reduceLanes(ADD);
        out[at + EIGHT + FOUR + 1] = b5.reduceLanes(ADD);
        out[at + EIGHT + FOUR + 2] = b6.reduceLanes(ADD);
        out[at + EIGHT + FOUR + 3] = b7.reduceLanes(ADD);
        out[at + 2 * EIGHT] = c0.reduceLanes(ADD);
        out[at + 2 * EIGHT + 1] = c1.reduceLanes(ADD);
        out[at + 2 * EIGHT + 2] = c2.reduceLanes(ADD);
        out[at + 2 * EIGHT + 3] = c3.reduceLanes(ADD);
        out[at + 2 * EIGHT + FOUR] = c4.reduceLanes(ADD);
        out[at + 2 * EIGHT + FOUR + 1] = c5.reduceLanes(ADD);
        out[at + 2 * EIGHT + FOUR + 2] = c6.reduceLanes(ADD);
        out[at + 2 * EIGHT + FOUR + 3] = c7.reduceLanes(ADD);
    }

    /** The first {@code count} rows, two at a time, by up to four vectors. */
    private static void four(
            float[] rows, int columns, int count, float[][] xs, int first, int last, float[] out, int at) {
        float[] x0 = xs[first];
        float[] x1 = xs[Math.min(first + 1, last)];
        float[] x2 = xs[Math.min(first + 2, last)];
        float[] x3 = xs[Math.min(first + 3, last)];
        for (int row = 0; row < count; row += 2) {
            int other = Math.min(row + 1, count - 1);
            pair(
                    rows,
                    row * columns,
                    other * columns,
                    columns,
                    x0,
                    x1,
                    x2,
                    x3,
                    out,
                    at + row * EIGHT,
                    at + other * EIGHT);
        }
        for (int row = 0; row < count; row++) {
            for (int i = 0; i < FOUR; i++) {
                out[at + row * EIGHT + i] += rest(rows, row * columns, columns, xs[Math.min(first + i, last)]);
            }
        }
    }

    private static void pair(
            float[] rows,
            int rowA,
            int rowB,
            int columns,
            float[] x0,
            float[] x1,
            float[] x2,
            float[] x3,
            float[] out,
            int atA,
            int atB) {
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        FloatVector b0 = a0;
        FloatVector b1 = a0;
        FloatVector b2 = a0;
        FloatVector b3 = a0;
        int whole = columns - columns % LANES;
        for (int i = 0; i < whole; i += LANES) {
            FloatVector a = FloatVector.fromArray(F, rows, rowA + i);
            FloatVector b = FloatVector.fromArray(F, rows, rowB + i);
            FloatVector x = FloatVector.fromArray(F, x0, i);
            a0 = a.fma(x, a0);
            b0 = b.fma(x, b0);
            x = FloatVector.fromArray(F, x1, i);
            a1 = a.fma(x, a1);
            b1 = b.fma(x, b1);
            x = FloatVector.fromArray(F, x2, i);
            a2 = a.fma(x, a2);
            b2 = b.fma(x, b2);
            x = FloatVector.fromArray(F, x3, i);
            a3 = a.fma(x, a3);
            b3 = b.fma(x, b3);
        }
        out[atA] = a0.reduceLanes(ADD);
        out[atA + 1] = a1.reduceLanes(ADD);
        out[atA + 2] = a2.reduceLanes(ADD);
        out[atA + 3] = a3.reduceLanes(ADD);
        out[atB] = b0.reduceLanes(ADD);
        out[atB + 1] = b1.reduceLanes(ADD);
        out[atB + 2] = b2.reduceLanes(ADD);
        out[atB + 3] = b3.reduceLanes(ADD);
    }

    /** The product of the columns behind the last whole vector. */
    private static float rest(float[] rows, int row, int columns, float[] x) {
        float sum = 0;
        for (int i = columns - columns % LANES; i < columns; i++) {
            sum = Math.fma(rows[row + i], x[i], sum);
        }
        return sum;
    }
}
