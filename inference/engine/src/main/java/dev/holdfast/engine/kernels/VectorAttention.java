package dev.holdfast.engine.kernels;

import static jdk.incubator.vector.VectorOperators.B2F;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Scores and weighted sums of values by the Vector API, four queries at a time, so that each vector of keys or values is loaded
 * once for four. Scores run over positions, because keys are kept dimension by dimension: there is no horizontal sum, whatever
 * the head size.
 */
final class VectorAttention {
    private static final VectorSpecies<Float> F = VectorKernels.FLOATS;
    private static final int LANES = F.length();
    private static final int TILE = 2 * LANES;

    /** As many bytes as there are floats in a vector; eight where no vector of bytes is as short. */
    private static final VectorSpecies<Byte> B = LANES >= 16 ? ByteVector.SPECIES_128 : ByteVector.SPECIES_64;

    private VectorAttention() {}

    /** Signed bytes as floats. With four lanes, every second call reads the upper half of the eight bytes before it. */
    private static FloatVector floats(byte[] in, int at, int index) {
        return LANES >= 8
                ? (FloatVector) ByteVector.fromArray(B, in, at + index).convertShape(B2F, F, 0)
                : (FloatVector) ByteVector.fromArray(B, in, at + (index & ~7)).convertShape(B2F, F, index >> 2 & 1);
    }

    static void scaled(byte[] in, int at, float scale, float[] out, int outAt, int length) {
        for (int i = 0; i < length; i += LANES) {
            floats(in, at, i).mul(scale).intoArray(out, outAt + i);
        }
    }

    static void scaledColumns(
            byte[] in, int at, float[] scales, int scalesAt, float[] out, int outAt, int rows, int columns) {
        for (int c = 0; c < columns; c += LANES) {
            FloatVector scale = FloatVector.fromArray(F, scales, scalesAt + c);
            for (int r = 0; r < rows; r++) {
                floats(in, at + r * columns, c).mul(scale).intoArray(out, outAt + r * columns + c);
            }
        }
    }

    static void scores(
            Kernels.Queries queries,
            float[] keys,
            int keysAt,
            int keyStride,
            int positions,
            float[] out,
            int outAt,
            int stride) {
        int i = 0;
        for (; i + 4 <= queries.count(); i += 4) {
            for (int p = 0; p < positions; p += TILE) {
                fourScores(queries, i, keys, keysAt + p, keyStride, out, outAt + i * stride + p, stride);
            }
        }
        for (; i < queries.count(); i++) {
            for (int p = 0; p < positions; p += TILE) {
                oneScore(queries, i, keys, keysAt + p, keyStride, out, outAt + i * stride + p);
            }
        }
    }

    private static void fourScores(
            Kernels.Queries queries,
            int first,
            float[] keys,
            int keysAt,
            int keyStride,
            float[] out,
            int at,
            int stride) {
        float[] values = queries.values();
        int step = queries.step();
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector b0 = a0;
        FloatVector b1 = a0;
        FloatVector c0 = a0;
        FloatVector c1 = a0;
        FloatVector d0 = a0;
        FloatVector d1 = a0;
        int k = keysAt;
        int q = queries.at() + first * step;
        for (int d = 0; d < queries.headSize(); d++, k += keyStride, q += queries.stride()) {
            FloatVector k0 = FloatVector.fromArray(F, keys, k);
            FloatVector k1 = FloatVector.fromArray(F, keys, k + LANES);
            FloatVector w = FloatVector.broadcast(F, values[q]);
            a0 = w.fma(k0, a0);
            a1 = w.fma(k1, a1);
            w = FloatVector.broadcast(F, values[q + step]);
            b0 = w.fma(k0, b0);
            b1 = w.fma(k1, b1);
            w = FloatVector.broadcast(F, values[q + 2 * step]);
            c0 = w.fma(k0, c0);
            c1 = w.fma(k1, c1);
            w = FloatVector.broadcast(F, values[q + 3 * step]);
            d0 = w.fma(k0, d0);
            d1 = w.fma(k1, d1);
        }
        float scale = queries.scale();
        a0.mul(scale).intoArray(out, at);
        a1.mul(scale).intoArray(out, at + LANES);
        b0.mul(scale).intoArray(out, at + stride);
        b1.mul(scale).intoArray(out, at + stride + LANES);
        c0.mul(scale).intoArray(out, at + 2 * stride);
        c1.mul(scale).intoArray(out, at + 2 * stride + LANES);
        d0.mul(scale).intoArray(out, at + 3 * stride);
        d1.mul(scale).intoArray(out, at + 3 * stride + LANES);
    }

    private static void oneScore(
            Kernels.Queries queries, int index, float[] keys, int keysAt, int keyStride, float[] out, int at) {
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        int k = keysAt;
        int q = queries.at() + index * queries.step();
        for (int d = 0; d < queries.headSize(); d++, k += keyStride, q += queries.stride()) {
            FloatVector w = FloatVector.broadcast(F, queries.values()[q]);
            a0 = FloatVector.fromArray(F, keys, k).fma(w, a0);
            a1 = FloatVector.fromArray(F, keys, k + LANES).fma(w, a1);
        }
        a0.mul(queries.scale()).intoArray(out, at);
        a1.mul(queries.scale()).intoArray(out, at + LANES);
    }

    static void mix(
            float[] weights,
            int weightsAt,
            int count,
            int stride,
            int positions,
            float[] values,
            int valuesAt,
            int valueStride,
            float[] out,
            int outAt) {
        int i = 0;
        for (; i + 4 <= count; i += 4) {
            int d = 0;
            for (; d + TILE <= valueStride; d += TILE) {
                fourMixes(
                        weights,
                        weightsAt + i * stride,
                        stride,
                        positions,
                        values,
                        valuesAt + d,
                        valueStride,
                        out,
                        outAt + i * valueStride + d);
            }
            for (int j = i; d < valueStride && j < i + 4; j++) {
                mixRest(
                        weights,
                        weightsAt + j * stride,
                        positions,
                        values,
                        valuesAt,
                        d,
                        valueStride,
                        out,
                        outAt + j * valueStride);
            }
        }
        for (; i < count; i++) {
            mixRest(
                    weights,
                    weightsAt + i * stride,
                    positions,
                    values,
                    valuesAt,
                    0,
                    valueStride,
                    out,
                    outAt + i * valueStride);
        }
    }

    private static void fourMixes(
            float[] weights,
            int at,
            int stride,
            int positions,
            float[] values,
            int valuesAt,
            int valueStride,
            float[] out,
            int outAt) {
        int outB = outAt + valueStride;
        int outC = outB + valueStride;
        int outD = outC + valueStride;
        FloatVector a0 = FloatVector.fromArray(F, out, outAt);
        FloatVector a1 = FloatVector.fromArray(F, out, outAt + LANES);
        FloatVector b0 = FloatVector.fromArray(F, out, outB);
        FloatVector b1 = FloatVector.fromArray(F, out, outB + LANES);
        FloatVector c0 = FloatVector.fromArray(F, out, outC);
        FloatVector c1 = FloatVector.fromArray(F, out, outC + LANES);
        FloatVector d0 = FloatVector.fromArray(F, out, outD);
        FloatVector d1 = FloatVector.fromArray(F, out, outD + LANES);
        int v = valuesAt;
        for (int p = at; p < at + positions; p++, v += valueStride) {
            FloatVector v0 = FloatVector.fromArray(F, values, v);
            FloatVector v1 = FloatVector.fromArray(F, values, v + LANES);
            FloatVector w = FloatVector.broadcast(F, weights[p]);
            a0 = w.fma(v0, a0);
            a1 = w.fma(v1, a1);
            w = FloatVector.broadcast(F, weights[p + stride]);
            b0 = w.fma(v0, b0);
            b1 = w.fma(v1, b1);
            w = FloatVector.broadcast(F, weights[p + 2 * stride]);
            c0 = w.fma(v0, c0);
            c1 = w.fma(v1, c1);
            w = FloatVector.broadcast(F, weights[p + 3 * stride]);
            d0 = w.fma(v0, d0);
            d1 = w.fma(v1, d1);
        }
        a0.intoArray(out, outAt);
        a1.intoArray(out, outAt + LANES);
        b0.intoArray(out, outB);
        b1.intoArray(out, outB + LANES);
        c0.intoArray(out, outC);
        c1.intoArray(out, outC + LANES);
        d0.intoArray(out, outD);
        d1.intoArray(out, outD + LANES);
    }

    /** One row, from dimension {@code from} on. */
    private static void mixRest(
            float[] weights,
            int at,
            int positions,
            float[] values,
            int valuesAt,
            int from,
            int valueStride,
            float[] out,
            int outAt) {
        for (int d = from; d < valueStride; d += LANES) {
            FloatVector even = FloatVector.fromArray(F, out, outAt + d);
            FloatVector odd = FloatVector.zero(F);
            int v = valuesAt + d;
            int p = 0;
            for (; p + 2 <= positions; p += 2, v += 2 * valueStride) {
                even = FloatVector.fromArray(F, values, v).fma(FloatVector.broadcast(F, weights[at + p]), even);
                odd = FloatVector.fromArray(F, values, v + valueStride)
                        .fma(FloatVector.broadcast(F, weights[at + p + 1]), odd);
            }
            if (p < positions) {
                even = FloatVector.fromArray(F, values, v).fma(FloatVector.broadcast(F, weights[at + p]), even);
            }
            even.add(odd).intoArray(out, outAt + d);
        }
    }
}
