package dev.holdfast.engine.kernels;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The kernels by the Vector API, for any vector length from 128 to 512 bits.
 *
 * <p>A product with one token is {@link VectorProducts}. A product with a batch unpacks {@link Kernels#ROWS} rows to
 * {@code scratch} (they stay in the first-level cache) and keeps a tile of six rows by two or four vectors of tokens in registers; each
 * step broadcasts one weight of each row. There is no horizontal sum in it. Long rows go in slices.
 *
 * <p>The exponential is a polynomial after range reduction (the coefficients of Cephes' expf, error below 2e-7), the
 * same on every machine and never boxed, which the library's EXP is where it has no intrinsic.
 */
public final class VectorKernels implements Kernels {
    /** Vectors of the length in use. */
    static final VectorSpecies<Float> FLOATS = species();

    private static final VectorSpecies<Float> F = FLOATS;
    private static final int LANES = F.length();
    private static final int TILE = 2 * LANES;
    /** With vectors of 512 bits there are 32 registers of them. */
    private static final boolean WIDE = LANES >= 16;

    /** Rows that two vectors are multiplied with one after the other: the second finds them in the second-level cache. */
    private static final int NEAR = 96;
    /** Columns that a batch product goes through at a time, in whole blocks: their inputs stay in the second-level cache. */
    private static final int SLICE = 1024;

    private static final float LOG2_E = 1.44269504088896341f;
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float EXP_MIN = -87.3f;
    private static final float EXP_MAX = 88.3f;
    /** Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits. */
    private static final float ROUND = 12582912f;

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /**
     * What the machine prefers, between 128 and 512 bits, or as many bits as the property {@code holdfast.vector-bits} says. A
     * length that the machine lacks computes the same, a hundred times slower.
     */
    private static VectorSpecies<Float> species() {
        int bits = Integer.getInteger("holdfast.vector-bits", FloatVector.SPECIES_PREFERRED.vectorBitSize());
        return FloatVector.SPECIES_PREFERRED.withShape(VectorShape.forBitSize(Math.clamp(bits, 128, 512)));
    }

    /** The vector length in use, for reports. */
    static VectorShape shape() {
        return F.vectorShape();
    }

    @Override
    public void row(Weights weights, int row, float[] out, int at) {
        VectorRows.unpack(weights, row, out, at);
    }

    @Override
    public void product(Weights weights, int from, int to, float[] x, float[] y, float[] scratch) {
        VectorProducts.product(weights, from, to, x, y, scratch);
    }

    @Override
    public void products(Weights weights, int from, int to, float[][] xs, float[][] ys, int count, float[] scratch) {
        if (count > 2) {
            VectorTiles.products(weights, from, to, xs, ys, count, scratch);
            return;
        }
        for (int r = from; r < to; r += NEAR) {
            for (int i = 0; i < count; i++) {
                VectorProducts.product(weights, r, Math.min(r + NEAR, to), xs[i], ys[i], scratch);
            }
        }
    }

    static float dot(float[] row, int rowAt, float[] x, int xAt, int columns) {
        FloatVector even = FloatVector.zero(F);
        FloatVector odd = even;
        int c = 0;
        for (; c + TILE <= columns; c += TILE) {
            even = FloatVector.fromArray(F, row, rowAt + c).fma(FloatVector.fromArray(F, x, xAt + c), even);
            odd = FloatVector.fromArray(F, row, rowAt + c + LANES)
                    .fma(FloatVector.fromArray(F, x, xAt + c + LANES), odd);
        }
        float sum = even.add(odd).reduceLanes(VectorOperators.ADD);
        for (; c < columns; c++) {
            sum = Math.fma(row[rowAt + c], x[xAt + c], sum);
        }
        return sum;
    }

    @Override
    public void batchProduct(Weights weights, int from, int to, float[] x, float[] y, int tokens, float[] scratch) {
        Arrays.fill(y, from * BATCH, to * BATCH, 0f);
        for (int first = 0; first < weights.columns(); first += SLICE) {
            addSlice(
                    weights.slice(first, Math.min(SLICE, weights.columns() - first)),
                    first,
                    from,
                    to,
                    x,
                    y,
                    tokens,
                    scratch);
        }
    }

    /** Adds the products of the columns from {@code first} on, of which {@code slice} holds the weights. */
    private static void addSlice(
            Weights slice, int first, int from, int to, float[] x, float[] y, int tokens, float[] scratch) {
        int columns = slice.columns();
        int xFrom = first * BATCH;
        int r = from;
        for (; r + ROWS <= to; r += ROWS) {
            for (int i = 0; i < ROWS; i++) {
                VectorRows.unpack(slice, r + i, scratch, i * columns);
            }
            int t = 0;
            for (; WIDE && t + TILE < tokens; t += 2 * TILE) {
                wideTile(scratch, columns, x, xFrom + t, BATCH, y, r * BATCH + t);
            }
            for (; t < tokens; t += TILE) {
                tile(scratch, columns, x, xFrom + t, BATCH, y, r * BATCH + t);
            }
        }
        for (; r < to; r++) {
            VectorRows.unpack(slice, r, scratch, 0);
            for (int t = 0; t < tokens; t += LANES) {
                FloatVector sum = FloatVector.fromArray(F, y, r * BATCH + t);
                for (int c = 0; c < columns; c++) {
                    sum = FloatVector.fromArray(F, x, xFrom + c * BATCH + t)
                            .fma(FloatVector.broadcast(F, scratch[c]), sum);
                }
                sum.intoArray(y, r * BATCH + t);
            }
        }
    }

    /**
     * Adds six rows by two vectors of tokens to {@code y[at ..]}: twelve sums, two vectors of tokens and one weight fill sixteen
     * registers. That {@code stride} is not a constant keeps the compiler from unrolling the loop, after which the sums no longer fit
     * in registers: it is twice as fast so.
     */
    private static void tile(float[] rows, int columns, float[] x, int xFrom, int stride, float[] y, int at) {
        FloatVector a0 = FloatVector.fromArray(F, y, at);
        FloatVector a1 = FloatVector.fromArray(F, y, at + LANES);
        FloatVector b0 = FloatVector.fromArray(F, y, at + stride);
        FloatVector b1 = FloatVector.fromArray(F, y, at + stride + LANES);
        FloatVector c0 = FloatVector.fromArray(F, y, at + 2 * stride);
        FloatVector c1 = FloatVector.fromArray(F, y, at + 2 * stride + LANES);
        FloatVector d0 = FloatVector.fromArray(F, y, at + 3 * stride);
        FloatVector d1 = FloatVector.fromArray(F, y, at + 3 * stride + LANES);
        FloatVector e0 = FloatVector.fromArray(F, y, at + 4 * stride);
        FloatVector e1 = FloatVector.fromArray(F, y, at + 4 * stride + LANES);
        FloatVector f0 = FloatVector.fromArray(F, y, at + 5 * stride);
        FloatVector f1 = FloatVector.fromArray(F, y, at + 5 * stride + LANES);
        int xAt = xFrom;
        for (int c = 0; c < columns; c++, xAt += stride) {
            FloatVector x0 = FloatVector.fromArray(F, x, xAt);
            FloatVector x1 = FloatVector.fromArray(F, x, xAt + LANES);
            FloatVector w = FloatVector.broadcast(F, rows[c]);
            a0 = w.fma(x0, a0);
            a1 = w.fma(x1, a1);
            w = FloatVector.broadcast(F, rows[c + columns]);
            b0 = w.fma(x0, b0);
            b1 = w.fma(x1, b1);
            w = FloatVector.broadcast(F, rows[c + 2 * columns]);
            c0 = w.fma(x0, c0);
            c1 = w.fma(x1, c1);
            w = FloatVector.broadcast(F, rows[c + 3 * columns]);
            d0 = w.fma(x0, d0);
            d1 = w.fma(x1, d1);
            w = FloatVector.broadcast(F, rows[c + 4 * columns]);
            e0 = w.fma(x0, e0);
            e1 = w.fma(x1, e1);
            w = FloatVector.broadcast(F, rows[c + 5 * columns]);
            f0 = w.fma(x0, f0);
            f1 = w.fma(x1, f1);
        }
        a0.intoArray(y, at);
        a1.intoArray(y, at + LANES);
        b0.intoArray(y, at + stride);
        b1.intoArray(y, at + stride + LANES);
        c0.intoArray(y, at + 2 * stride);
        c1.intoArray(y, at + 2 * stride + LANES);
        d0.intoArray(y, at + 3 * stride);
        d1.intoArray(y, at + 3 * stride + LANES);
        e0.intoArray(y, at + 4 * stride);
        e1.intoArray(y, at + 4 * stride + LANES);
        f0.intoArray(y, at + 5 * stride);
        f1.intoArray(y, at + 5 * stride + LANES);
    }

    /** As {@link #tile} by four vectors of tokens, where there are 32 registers. */
    private static void wideTile(float[] rows, int columns, float[] x, int xFrom, int stride, float[] y, int at) {
        FloatVector a0 = FloatVector.fromArray(F, y, at);
        FloatVector a1 = FloatVector.fromArray(F, y, at + LANES);
        FloatVector a2 = FloatVector.fromArray(F, y, at + 2 * LANES);
        FloatVector a3 = FloatVector.fromArray(F, y, at + 3 * LANES);
        FloatVector b0 = FloatVector.fromArray(F, y, at + stride);
        FloatVector b1 = FloatVector.fromArray(F, y, at + stride + LANES);
        FloatVector b2 = FloatVector.fromArray(F, y, at + stride + 2 * LANES);
        FloatVector b3 = FloatVector.fromArray(F, y, at + stride + 3 * LANES);
        FloatVector c0 = FloatVector.fromArray(F, y, at + 2 * stride);
        FloatVector c1 = FloatVector.fromArray(F, y, at + 2 * stride + LANES);
        FloatVector c2 = FloatVector.fromArray(F, y, at + 2 * stride + 2 * LANES);
        FloatVector c3 = FloatVector.fromArray(F, y, at + 2 * stride + 3 * LANES);
        FloatVector d0 = FloatVector.fromArray(F, y, at + 3 * stride);
        FloatVector d1 = FloatVector.fromArray(F, y, at + 3 * stride + LANES);
        FloatVector d2 = FloatVector.fromArray(F, y, at + 3 * stride + 2 * LANES);
        FloatVector d3 = FloatVector.fromArray(F, y, at + 3 * stride + 3 * LANES);
        FloatVector e0 = FloatVector.fromArray(F, y, at + 4 * stride);
        FloatVector e1 = FloatVector.fromArray(F, y, at + 4 * stride + LANES);
        FloatVector e2 = FloatVector.fromArray(F, y, at + 4 * stride + 2 * LANES);
        FloatVector e3 = FloatVector.fromArray(F, y, at + 4 * stride + 3 * LANES);
        FloatVector f0 = FloatVector.fromArray(F, y, at + 5 * stride);
        FloatVector f1 = FloatVector.fromArray(F, y, at + 5 * stride + LANES);
        FloatVector f2 = FloatVector.fromArray(F, y, at + 5 * stride + 2 * LANES);
        FloatVector f3 = FloatVector.fromArray(F, y, at + 5 * stride + 3 * LANES);
        int xAt = xFrom;
        for (int c = 0; c < columns; c++, xAt += stride) {
            FloatVector x0 = FloatVector.fromArray(F, x, xAt);
            FloatVector x1 = FloatVector.fromArray(F, x, xAt + LANES);
            FloatVector x2 = FloatVector.fromArray(F, x, xAt + 2 * LANES);
            FloatVector x3 = FloatVector.fromArray(F, x, xAt + 3 * LANES);
            FloatVector w = FloatVector.broadcast(F, rows[c]);
            a0 = w.fma(x0, a0);
            a1 = w.fma(x1, a1);
            a2 = w.fma(x2, a2);
            a3 = w.fma(x3, a3);
            w = FloatVector.broadcast(F, rows[c + columns]);
            b0 = w.fma(x0, b0);
            b1 = w.fma(x1, b1);
            b2 = w.fma(x2, b2);
            b3 = w.fma(x3, b3);
            w = FloatVector.broadcast(F, rows[c + 2 * columns]);
            c0 = w.fma(x0, c0);
            c1 = w.fma(x1, c1);
            c2 = w.fma(x2, c2);
            c3 = w.fma(x3, c3);
            w = FloatVector.broadcast(F, rows[c + 3 * columns]);
            d0 = w.fma(x0, d0);
            d1 = w.fma(x1, d1);
            d2 = w.fma(x2, d2);
            d3 = w.fma(x3, d3);
            w = FloatVector.broadcast(F, rows[c + 4 * columns]);
            e0 = w.fma(x0, e0);
            e1 = w.fma(x1, e1);
            e2 = w.fma(x2, e2);
            e3 = w.fma(x3, e3);
            w = FloatVector.broadcast(F, rows[c + 5 * columns]);
            f0 = w.fma(x0, f0);
            f1 = w.fma(x1, f1);
            f2 = w.fma(x2, f2);
            f3 = w.fma(x3, f3);
        }
        a0.intoArray(y, at);
        a1.intoArray(y, at + LANES);
        a2.intoArray(y, at + 2 * LANES);
        a3.intoArray(y, at + 3 * LANES);
        b0.intoArray(y, at + stride);
        b1.intoArray(y, at + stride + LANES);
        b2.intoArray(y, at + stride + 2 * LANES);
        b3.intoArray(y, at + stride + 3 * LANES);
        c0.intoArray(y, at + 2 * stride);
        c1.intoArray(y, at + 2 * stride + LANES);
        c2.intoArray(y, at + 2 * stride + 2 * LANES);
        c3.intoArray(y, at + 2 * stride + 3 * LANES);
        d0.intoArray(y, at + 3 * stride);
        d1.intoArray(y, at + 3 * stride + LANES);
        d2.intoArray(y, at + 3 * stride + 2 * LANES);
        d3.intoArray(y, at + 3 * stride + 3 * LANES);
        e0.intoArray(y, at + 4 * stride);
        e1.intoArray(y, at + 4 * stride + LANES);
        e2.intoArray(y, at + 4 * stride + 2 * LANES);
        e3.intoArray(y, at + 4 * stride + 3 * LANES);
        f0.intoArray(y, at + 5 * stride);
        f1.intoArray(y, at + 5 * stride + LANES);
        f2.intoArray(y, at + 5 * stride + 2 * LANES);
        f3.intoArray(y, at + 5 * stride + 3 * LANES);
    }

    @Override
    public void rmsNorm(float[] x, int at, float[] gain, float[] out, int features, int stride, float epsilon) {
        if (stride == 1) {
            float factor = (float) (1 / Math.sqrt(dot(x, at, x, at, features) / features + epsilon));
            for (int f = 0; f < features; f++) {
                out[at + f] = x[at + f] * factor * gain[f];
            }
            return;
        }
        for (int t = at; t < at + stride; t += LANES) {
            FloatVector squares = FloatVector.zero(F);
            for (int f = 0; f < features; f++) {
                FloatVector value = FloatVector.fromArray(F, x, f * stride + t);
                squares = value.fma(value, squares);
            }
            FloatVector factor = FloatVector.broadcast(F, 1f)
                    .div(squares.div(features).add(epsilon).sqrt());
            for (int f = 0; f < features; f++) {
                FloatVector.fromArray(F, x, f * stride + t)
                        .mul(factor)
                        .mul(gain[f])
                        .intoArray(out, f * stride + t);
            }
        }
    }

    private static FloatVector exp(FloatVector argument) {
        FloatVector x = argument.min(EXP_MAX).max(EXP_MIN);
        FloatVector shifted = x.fma(FloatVector.broadcast(F, LOG2_E), FloatVector.broadcast(F, ROUND));
        FloatVector n = shifted.sub(ROUND);
        FloatVector r = x.sub(n.mul(LN2_HIGH)).sub(n.mul(LN2_LOW));
        FloatVector p = FloatVector.broadcast(F, 1.9875691500E-4f);
        p = p.fma(r, FloatVector.broadcast(F, 1.3981999507E-3f));
        p = p.fma(r, FloatVector.broadcast(F, 8.3334519073E-3f));
        p = p.fma(r, FloatVector.broadcast(F, 4.1665795894E-2f));
        p = p.fma(r, FloatVector.broadcast(F, 1.6666665459E-1f));
        p = p.fma(r, FloatVector.broadcast(F, 5.0000001201E-1f));
        p = p.fma(r.mul(r), r).add(1f);
        // The low bits of `shifted` are n; moved to the exponent's place they make 2^n.
        IntVector exponent = shifted.viewAsIntegralLanes().reinterpretAsInts();
        IntVector power = exponent.lanewise(VectorOperators.LSHL, 23).add(0x3f800000);
        return p.mul(power.viewAsFloatingLanes().reinterpretAsFloats());
    }

    @Override
    public void layerNorm(float[] x, float[] gain, float[] bias, int features, int stride, float epsilon) {
        if (stride < LANES) {
            new ScalarKernels().layerNorm(x, gain, bias, features, stride, epsilon);
            return;
        }
        for (int t = 0; t < stride; t += LANES) {
            FloatVector sum = FloatVector.zero(F);
            for (int f = 0; f < features; f++) {
                sum = sum.add(FloatVector.fromArray(F, x, f * stride + t));
            }
            FloatVector mean = sum.div(features);
            FloatVector squares = FloatVector.zero(F);
            for (int f = 0; f < features; f++) {
                FloatVector off = FloatVector.fromArray(F, x, f * stride + t).sub(mean);
                squares = off.fma(off, squares);
            }
            FloatVector factor = FloatVector.broadcast(F, 1f)
                    .div(squares.div(features).add(epsilon).sqrt());
            for (int f = 0; f < features; f++) {
                FloatVector.fromArray(F, x, f * stride + t)
                        .sub(mean)
                        .mul(factor)
                        .mul(gain[f])
                        .add(bias[f])
                        .intoArray(x, f * stride + t);
            }
        }
    }

    @Override
    public void gate(Activation activation, float[] gate, float[] up, int length) {
        switch (activation) {
            case SILU -> swiGlu(gate, up, length);
            case GELU -> {
                gelu(gate, length);
                multiply(gate, up, length);
            }
        }
    }

    @Override
    public void gelu(float[] x, int length) {
        float twice = (float) (2 * Math.sqrt(2 / Math.PI));
        int i = 0;
        for (; i + LANES <= length; i += LANES) {
            FloatVector v = FloatVector.fromArray(F, x, i);
            FloatVector u = v.mul(v).mul(v).mul(0.044715f).add(v).mul(-twice);
            v.div(exp(u).add(1f)).intoArray(x, i);
        }
        for (; i < length; i++) {
            x[i] = (float) ScalarKernels.gelu(x[i]);
        }
    }

    private static void multiply(float[] x, float[] by, int length) {
        for (int i = 0; i < length; i++) {
            x[i] *= by[i];
        }
    }

    private static void swiGlu(float[] gate, float[] up, int length) {
        int i = 0;
        for (; i + LANES <= length; i += LANES) {
            FloatVector g = FloatVector.fromArray(F, gate, i);
            g.div(exp(g.neg()).add(1f)).mul(FloatVector.fromArray(F, up, i)).intoArray(gate, i);
        }
        for (; i < length; i++) {
            gate[i] = (float) (gate[i] / (1 + Math.exp(-gate[i])) * up[i]);
        }
    }

    @Override
    public void scaled(byte[] in, int at, float scale, float[] out, int outAt, int length) {
        VectorAttention.scaled(in, at, scale, out, outAt, length);
    }

    @Override
    public void scaledColumns(
            byte[] in, int at, float[] scales, int scalesAt, float[] out, int outAt, int rows, int columns) {
        VectorAttention.scaledColumns(in, at, scales, scalesAt, out, outAt, rows, columns);
    }

    @Override
    public void scores(
            Queries queries,
            float[] keys,
            int keysAt,
            int keyStride,
            int positions,
            float[] out,
            int outAt,
            int stride) {
        VectorAttention.scores(queries, keys, keysAt, keyStride, positions, out, outAt, stride);
    }

    @Override
    public void softmax(float[] scores, int at, int length) {
        int end = at + (length + LANES - 1) / LANES * LANES;
        Arrays.fill(scores, at + length, end, Float.NEGATIVE_INFINITY);
        FloatVector largest = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
        for (int i = at; i < end; i += LANES) {
            largest = largest.max(FloatVector.fromArray(F, scores, i));
        }
        float max = largest.reduceLanes(VectorOperators.MAX);
        FloatVector sums = FloatVector.zero(F);
        for (int i = at; i < end; i += LANES) {
            FloatVector e = exp(FloatVector.fromArray(F, scores, i).sub(max));
            e.intoArray(scores, i);
            sums = sums.add(e);
        }
        float factor = 1 / sums.reduceLanes(VectorOperators.ADD);
        for (int i = at; i < end; i += LANES) {
            FloatVector.fromArray(F, scores, i).mul(factor).intoArray(scores, i);
        }
    }

    @Override
    public void mix(
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
        VectorAttention.mix(weights, weightsAt, count, stride, positions, values, valuesAt, valueStride, out, outAt);
    }
}
