package dev.holdfast.engine.kernels;

import static jdk.incubator.vector.VectorOperators.ADD;
import static jdk.incubator.vector.VectorOperators.LSHR;

import dev.holdfast.gguf.GgmlType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * A row of weights times several vectors by the Vector API, four at a time: each weight is read and widened once for four. Three
 * go as four, of which the last is there twice; two that are left go one by one, which still reads the
 * row from memory only once.
 */
final class VectorDots {
    private static final VectorSpecies<Float> F = VectorKernels.FLOATS;
    private static final int LANES = F.length();
    private static final int BLOCK = 32;

    private VectorDots() {}

    /**
     * {@code ys[i][row] = W[row] . xs[i]} for the first {@code count}.
     *
     * @param scratch room for two rows
     */
    static void dots(Weights weights, int row, float[][] xs, float[][] ys, int count, float[] scratch) {
        int columns = weights.columns();
        boolean fused = weights.type() == GgmlType.Q8_0 || weights.type() == GgmlType.Q4_0;
        if (!fused) {
            VectorRows.unpack(weights, row, scratch, 0);
        }
        int i = 0;
        for (; i + 2 < count; i += 4) {
            int d = Math.min(i + 3, count - 1);
            switch (weights.type()) {
                case Q8_0 ->
                    q8(weights.file(), weights.row(row), columns, xs[i], xs[i + 1], xs[i + 2], xs[d], scratch, columns);
                case Q4_0 ->
                    q4(weights.file(), weights.row(row), columns, xs[i], xs[i + 1], xs[i + 2], xs[d], scratch, columns);
                default -> floats(scratch, columns, xs[i], xs[i + 1], xs[i + 2], xs[d], scratch, columns);
            }
            ys[i][row] = scratch[columns];
            ys[i + 1][row] = scratch[columns + 1];
            ys[i + 2][row] = scratch[columns + 2];
            ys[d][row] = scratch[columns + d - i];
        }
        for (; i < count; i++) {
            ys[i][row] = fused
                    ? VectorRows.dot(weights, row, xs[i], scratch)
                    : VectorKernels.dot(scratch, 0, xs[i], 0, columns);
        }
    }

    private static void store(FloatVector a, FloatVector b, FloatVector c, FloatVector d, float[] out, int at) {
        out[at] = a.reduceLanes(ADD);
        out[at + 1] = b.reduceLanes(ADD);
        out[at + 2] = c.reduceLanes(ADD);
        out[at + 3] = d.reduceLanes(ADD);
    }

    private static void q8(
            MemorySegment file,
            long from,
            int columns,
            float[] xa,
            float[] xb,
            float[] xc,
            float[] xd,
            float[] out,
            int at) {
        FloatVector a = FloatVector.zero(F);
        FloatVector b = a;
        FloatVector c = a;
        FloatVector d = a;
        long block = from;
        for (int i = 0; i < columns; i += BLOCK, block += 34) {
            FloatVector w = VectorRows.signed(file, block + 2, 0);
            FloatVector pa = w.mul(VectorRows.load(xa, i));
            FloatVector pb = w.mul(VectorRows.load(xb, i));
            FloatVector pc = w.mul(VectorRows.load(xc, i));
            FloatVector pd = w.mul(VectorRows.load(xd, i));
            for (int j = LANES; j < BLOCK; j += LANES) {
                w = VectorRows.signed(file, block + 2, j);
                pa = w.fma(VectorRows.load(xa, i + j), pa);
                pb = w.fma(VectorRows.load(xb, i + j), pb);
                pc = w.fma(VectorRows.load(xc, i + j), pc);
                pd = w.fma(VectorRows.load(xd, i + j), pd);
            }
            FloatVector scale = FloatVector.broadcast(F, VectorRows.half(file, block));
            a = pa.fma(scale, a);
            b = pb.fma(scale, b);
            c = pc.fma(scale, c);
            d = pd.fma(scale, d);
        }
        store(a, b, c, d, out, at);
    }

    private static void q4(
            MemorySegment file,
            long from,
            int columns,
            float[] xa,
            float[] xb,
            float[] xc,
            float[] xd,
            float[] out,
            int at) {
        FloatVector a = FloatVector.zero(F);
        FloatVector b = a;
        FloatVector c = a;
        FloatVector d = a;
        long block = from;
        for (int i = 0; i < columns; i += BLOCK, block += 18) {
            FloatVector scale = FloatVector.broadcast(F, VectorRows.half(file, block));
            for (int j = 0; j < BLOCK / 2; j += LANES) {
                IntVector pairs = VectorRows.unsigned(file, block + 2, j);
                FloatVector w = VectorRows.floats(pairs.and(15).sub(8)).mul(scale);
                a = w.fma(VectorRows.load(xa, i + j), a);
                b = w.fma(VectorRows.load(xb, i + j), b);
                c = w.fma(VectorRows.load(xc, i + j), c);
                d = w.fma(VectorRows.load(xd, i + j), d);
                w = VectorRows.floats(pairs.lanewise(LSHR, 4).sub(8)).mul(scale);
                a = w.fma(VectorRows.load(xa, i + j + 16), a);
                b = w.fma(VectorRows.load(xb, i + j + 16), b);
                c = w.fma(VectorRows.load(xc, i + j + 16), c);
                d = w.fma(VectorRows.load(xd, i + j + 16), d);
            }
        }
        store(a, b, c, d, out, at);
    }

    private static void floats(
            float[] row, int columns, float[] xa, float[] xb, float[] xc, float[] xd, float[] out, int at) {
        FloatVector a = FloatVector.zero(F);
        FloatVector b = a;
        FloatVector c = a;
        FloatVector d = a;
        int i = 0;
        for (; i + LANES <= columns; i += LANES) {
            FloatVector w = VectorRows.load(row, i);
            a = w.fma(VectorRows.load(xa, i), a);
            b = w.fma(VectorRows.load(xb, i), b);
            c = w.fma(VectorRows.load(xc, i), c);
            d = w.fma(VectorRows.load(xd, i), d);
        }
        store(a, b, c, d, out, at);
        for (; i < columns; i++) {
            out[at] = Math.fma(row[i], xa[i], out[at]);
            out[at + 1] = Math.fma(row[i], xb[i], out[at + 1]);
            out[at + 2] = Math.fma(row[i], xc[i], out[at + 2]);
            out[at + 3] = Math.fma(row[i], xd[i], out[at + 3]);
        }
    }
}
