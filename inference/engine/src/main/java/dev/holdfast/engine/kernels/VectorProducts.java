package dev.holdfast.engine.kernels;

import static jdk.incubator.vector.VectorOperators.ADD;
import static jdk.incubator.vector.VectorOperators.LSHR;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * A matrix times one vector by the Vector API: {@code y[r] = W[r] . x}.
 *
 * <p>Rows of the types that speed is decided by go two or three together, so that each vector of {@code x} is loaded once for all of
 * them and their sums do not wait for each other. They are taken from parts of the matrix that are far apart: the processor
 * then reads ahead in each part, which it does not for neighbouring rows. How many rows go together is what the compiler
 * bears: it inlines a limited number of nodes, and boxes vectors beyond.
 */
final class VectorProducts {
    private static final VectorSpecies<Float> F = VectorKernels.FLOATS;
    private static final int LANES = F.length();
    private static final int BLOCK = 32;
    private static final int Q8_BLOCK = 34;
    private static final int Q4_BLOCK = 18;
    private static final boolean Q8_PAIRS = LANES >= 8;
    private static final boolean Q4_TRIPLES = LANES >= 16;

    private VectorProducts() {}

    /** Rows {@code from} to {@code to}; {@code scratch} holds a row. */
    static void product(Weights weights, int from, int to, float[] x, float[] y, float[] scratch) {
        int next = switch (weights.type()) {
            case Q8_0 -> Q8_PAIRS ? q8Pairs(weights, from, to, x, y) : from;
            case Q4_0 -> Q4_TRIPLES ? q4Triples(weights, from, to, x, y, scratch) : from;
            default -> from;
        };
        for (int r = next; r < to; r++) {
            y[r] = VectorRows.dot(weights, r, x, scratch);
        }
    }

    private static int q8Pairs(Weights weights, int from, int to, float[] x, float[] y) {
        int apart = (to - from) / 2;
        for (int r = from; r < from + apart; r++) {
            q8Pair(weights.file(), weights.row(r), apart * weights.rowBytes(), x, weights.columns(), y, r, apart);
        }
        return from + 2 * apart;
    }

    private static void q8Pair(
            MemorySegment file, long row, long bytesApart, float[] x, int columns, float[] y, int to, int apart) {
        FloatVector sumA = FloatVector.zero(F);
        FloatVector sumB = sumA;
        long a = row;
        long b = row + bytesApart;
        for (int c = 0; c < columns; c += BLOCK, a += Q8_BLOCK, b += Q8_BLOCK) {
            FloatVector x0 = VectorRows.load(x, c);
            FloatVector x1 = VectorRows.load(x, c + LANES);
            FloatVector inA = VectorRows.signed(file, a + 2, 0).mul(x0);
            FloatVector inB = VectorRows.signed(file, b + 2, 0).mul(x0);
            inA = VectorRows.signed(file, a + 2, LANES).fma(x1, inA);
            inB = VectorRows.signed(file, b + 2, LANES).fma(x1, inB);
            if (LANES < 16) {
                x0 = VectorRows.load(x, c + 2 * LANES);
                x1 = VectorRows.load(x, c + 3 * LANES);
                inA = VectorRows.signed(file, a + 2, 2 * LANES).fma(x0, inA);
                inB = VectorRows.signed(file, b + 2, 2 * LANES).fma(x0, inB);
                inA = VectorRows.signed(file, a + 2, 3 * LANES).fma(x1, inA);
                inB = VectorRows.signed(file, b + 2, 3 * LANES).fma(x1, inB);
            }
            sumA = inA.fma(FloatVector.broadcast(F, VectorRows.half(file, a)), sumA);
            sumB = inB.fma(FloatVector.broadcast(F, VectorRows.half(file, b)), sumB);
        }
        y[to] = sumA.reduceLanes(ADD);
        y[to + apart] = sumB.reduceLanes(ADD);
    }

    private static int q4Triples(Weights weights, int from, int to, float[] x, float[] y, float[] scratch) {
        int apart = (to - from) / 3;
        offsets(x, weights.columns(), scratch);
        for (int r = from; r < from + apart; r++) {
            q4Triple(
                    weights.file(),
                    weights.row(r),
                    apart * weights.rowBytes(),
                    x,
                    scratch,
                    weights.columns(),
                    y,
                    r,
                    apart);
        }
        return from + 3 * apart;
    }

    /** What a block's sum is more for quanta of 0 to 15 than for those of -8 to 7, negated, spread over the lanes. */
    private static void offsets(float[] x, int columns, float[] out) {
        for (int c = 0, at = 0; c < columns; c += BLOCK, at += LANES) {
            VectorRows.load(x, c)
                    .add(VectorRows.load(x, c + BLOCK / 2))
                    .mul(-8f)
                    .intoArray(out, at);
        }
    }

    private static void q4Triple(
            MemorySegment file,
            long row,
            long bytesApart,
            float[] x,
            float[] offsets,
            int columns,
            float[] y,
            int to,
            int apart) {
        FloatVector sumA = FloatVector.zero(F);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        long a = row;
        long b = a + bytesApart;
        long c = b + bytesApart;
        for (int i = 0, o = 0; i < columns; i += BLOCK, o += LANES, a += Q4_BLOCK, b += Q4_BLOCK, c += Q4_BLOCK) {
            FloatVector low = VectorRows.load(x, i);
            FloatVector high = VectorRows.load(x, i + LANES);
            FloatVector offset = VectorRows.load(offsets, o);
            IntVector pairs = VectorRows.unsigned(file, a + 2, 0);
            FloatVector in = VectorRows.floats(pairs.and(15)).fma(low, offset);
            in = VectorRows.floats(pairs.lanewise(LSHR, 4)).fma(high, in);
            sumA = in.fma(FloatVector.broadcast(F, VectorRows.half(file, a)), sumA);
            pairs = VectorRows.unsigned(file, b + 2, 0);
            in = VectorRows.floats(pairs.and(15)).fma(low, offset);
            in = VectorRows.floats(pairs.lanewise(LSHR, 4)).fma(high, in);
            sumB = in.fma(FloatVector.broadcast(F, VectorRows.half(file, b)), sumB);
            pairs = VectorRows.unsigned(file, c + 2, 0);
            in = VectorRows.floats(pairs.and(15)).fma(low, offset);
            in = VectorRows.floats(pairs.lanewise(LSHR, 4)).fma(high, in);
            sumC = in.fma(FloatVector.broadcast(F, VectorRows.half(file, c)), sumC);
        }
        y[to] = sumA.reduceLanes(ADD);
        y[to + apart] = sumB.reduceLanes(ADD);
        y[to + 2 * apart] = sumC.reduceLanes(ADD);
    }
}
