package dev.holdfast.inference;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import dev.holdfast.gguf.RowDecoder;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The kernels by the Vector API, for any vector length from 128 to 512 bits.
 *
 * <p>A product with one token reads {@link Kernels#ROWS} rows at once, so that each vector of {@code x} is loaded once
 * for four rows; decoding is bound by reading the weights, and this keeps four streams going. A product with a batch
 * unpacks four rows to {@code scratch} (they stay in the first-level cache) and keeps a tile of four rows by two vectors
 * of tokens in eight registers; each step broadcasts one weight of each row. There is no horizontal sum in it.
 *
 * <p>Scores run over positions, because keys are kept dimension by dimension: no horizontal sum there either, whatever
 * the head size.
 *
 * <p>The exponential is a polynomial after range reduction (the coefficients of Cephes' expf, error below 2e-7), the
 * same on every machine and never boxed, which the library's EXP is where it has no intrinsic.
 */
final class VectorKernels implements Kernels {
    private static final VectorSpecies<Float> F = species();
    private static final int LANES = F.length();
    /** As many bytes as there are floats in a vector, where such a short vector of bytes exists. */
    private static final VectorSpecies<Byte> B = LANES >= 16 ? ByteVector.SPECIES_128 : ByteVector.SPECIES_64;

    private static final int Q8_BLOCK = 32;
    private static final int Q8_BYTES = 34;
    private static final int TILE = 2 * LANES;

    private static final float LOG2_E = 1.44269504088896341f;
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float EXP_MIN = -87.3f;
    private static final float EXP_MAX = 88.3f;
    /** Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits. */
    private static final float ROUND = 12582912f;

    private static VectorSpecies<Float> species() {
        VectorSpecies<Float> preferred = FloatVector.SPECIES_PREFERRED;
        return preferred.vectorBitSize() > 512
                ? FloatVector.SPECIES_512
                : preferred.vectorBitSize() < 128 ? FloatVector.SPECIES_128 : preferred;
    }

    /** The vector length in use, for reports. */
    static VectorShape shape() {
        return F.vectorShape();
    }

    @Override
    public void row(Weights weights, int row, float[] out, int at) {
        MemorySegment file = weights.file();
        long from = weights.row(row);
        int columns = weights.columns();
        switch (weights.type()) {
            case F32 -> MemorySegment.copy(file, ScalarKernels.FLOAT, from, out, at, columns);
            case F16 -> {
                for (int c = 0; c < columns; c++) {
                    out[at + c] = Float.float16ToFloat(file.get(ScalarKernels.SHORT, from + 2L * c));
                }
            }
            case BF16 -> {
                for (int c = 0; c < columns; c++) {
                    out[at + c] = Float.intBitsToFloat(file.get(ScalarKernels.SHORT, from + 2L * c) << 16);
                }
            }
            case Q8_0 -> {
                for (int c = 0; c < columns; c += Q8_BLOCK, from += Q8_BYTES) {
                    q8Block(file, from, out, at + c);
                }
            }
            default -> RowDecoder.of(weights.type()).orElseThrow().decode(file, from, out, at, columns);
        }
    }

    private static void q8Block(MemorySegment file, long from, float[] out, int at) {
        float scale = scale(file, from);
        if (LANES == B.length()) {
            for (int i = 0; i < Q8_BLOCK; i += LANES) {
                q8Widen(file, from + 2 + i).mul(scale).intoArray(out, at + i);
            }
            return;
        }
        // No byte vector is as short as four lanes.
        for (int i = 0; i < Q8_BLOCK; i++) {
            out[at + i] = scale * file.get(ValueLayout.JAVA_BYTE, from + 2 + i);
        }
    }

    private static FloatVector q8Widen(MemorySegment file, long at) {
        return (FloatVector)
                ByteVector.fromMemorySegment(B, file, at, LITTLE_ENDIAN).convertShape(VectorOperators.B2F, F, 0);
    }

    @Override
    public void product(Weights weights, int from, int to, float[] x, float[] y, float[] scratch) {
        int r = from;
        switch (weights.type()) {
            case F32 -> {
                for (; r + ROWS <= to; r += ROWS) {
                    f32Rows(weights, r, x, y);
                }
            }
            case Q8_0 -> {
                // Below 512 bits this many conversions in one method are more than the compiler inlines, and what it
                // does not inline it boxes: there, unpacking a row first is several times faster.
                for (; LANES >= 16 && r + ROWS <= to; r += ROWS) {
                    q8Rows(weights, r, x, y);
                }
            }
            default -> {}
        }
        for (; r < to; r++) {
            row(weights, r, scratch, 0);
            y[r] = dot(scratch, 0, x, 0, weights.columns());
        }
    }

    private static void f32Rows(Weights weights, int row, float[] x, float[] y) {
        MemorySegment file = weights.file();
        int columns = weights.columns();
        long r0 = weights.row(row);
        long r1 = r0 + weights.rowBytes();
        long r2 = r1 + weights.rowBytes();
        long r3 = r2 + weights.rowBytes();
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        int c = 0;
        for (; c + LANES <= columns; c += LANES) {
            FloatVector xv = FloatVector.fromArray(F, x, c);
            a0 = FloatVector.fromMemorySegment(F, file, r0 + 4L * c, LITTLE_ENDIAN)
                    .fma(xv, a0);
            a1 = FloatVector.fromMemorySegment(F, file, r1 + 4L * c, LITTLE_ENDIAN)
                    .fma(xv, a1);
            a2 = FloatVector.fromMemorySegment(F, file, r2 + 4L * c, LITTLE_ENDIAN)
                    .fma(xv, a2);
            a3 = FloatVector.fromMemorySegment(F, file, r3 + 4L * c, LITTLE_ENDIAN)
                    .fma(xv, a3);
        }
        float s0 = a0.reduceLanes(VectorOperators.ADD);
        float s1 = a1.reduceLanes(VectorOperators.ADD);
        float s2 = a2.reduceLanes(VectorOperators.ADD);
        float s3 = a3.reduceLanes(VectorOperators.ADD);
        for (; c < columns; c++) {
            s0 = Math.fma(file.get(ScalarKernels.FLOAT, r0 + 4L * c), x[c], s0);
            s1 = Math.fma(file.get(ScalarKernels.FLOAT, r1 + 4L * c), x[c], s1);
            s2 = Math.fma(file.get(ScalarKernels.FLOAT, r2 + 4L * c), x[c], s2);
            s3 = Math.fma(file.get(ScalarKernels.FLOAT, r3 + 4L * c), x[c], s3);
        }
        y[row] = s0;
        y[row + 1] = s1;
        y[row + 2] = s2;
        y[row + 3] = s3;
    }

    private static void q8Rows(Weights weights, int row, float[] x, float[] y) {
        MemorySegment file = weights.file();
        int columns = weights.columns();
        long r0 = weights.row(row);
        long r1 = r0 + weights.rowBytes();
        long r2 = r1 + weights.rowBytes();
        long r3 = r2 + weights.rowBytes();
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = a0;
        FloatVector a2 = a0;
        FloatVector a3 = a0;
        long at = 0;
        for (int c = 0; c < columns; c += Q8_BLOCK, at += Q8_BYTES) {
            a0 = q8Dot(file, r0 + at, x, c).fma(FloatVector.broadcast(F, scale(file, r0 + at)), a0);
            a1 = q8Dot(file, r1 + at, x, c).fma(FloatVector.broadcast(F, scale(file, r1 + at)), a1);
            a2 = q8Dot(file, r2 + at, x, c).fma(FloatVector.broadcast(F, scale(file, r2 + at)), a2);
            a3 = q8Dot(file, r3 + at, x, c).fma(FloatVector.broadcast(F, scale(file, r3 + at)), a3);
        }
        y[row] = a0.reduceLanes(VectorOperators.ADD);
        y[row + 1] = a1.reduceLanes(VectorOperators.ADD);
        y[row + 2] = a2.reduceLanes(VectorOperators.ADD);
        y[row + 3] = a3.reduceLanes(VectorOperators.ADD);
    }

    private static float scale(MemorySegment file, long block) {
        return Float.float16ToFloat(file.get(ScalarKernels.SHORT, block));
    }

    /** The lane-wise sums of one block times 32 elements of {@code x}, without the block's scale. */
    private static FloatVector q8Dot(MemorySegment file, long block, float[] x, int c) {
        FloatVector sum = FloatVector.zero(F);
        for (int i = 0; i < Q8_BLOCK; i += LANES) {
            sum = q8Widen(file, block + 2 + i).fma(FloatVector.fromArray(F, x, c + i), sum);
        }
        return sum;
    }

    private static float dot(float[] row, int rowAt, float[] x, int xAt, int columns) {
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
        int columns = weights.columns();
        int r = from;
        for (; r + ROWS <= to; r += ROWS) {
            for (int i = 0; i < ROWS; i++) {
                row(weights, r + i, scratch, i * columns);
            }
            for (int t = 0; t < tokens; t += TILE) {
                tile(scratch, columns, x, y, r, t);
            }
        }
        for (; r < to; r++) {
            row(weights, r, scratch, 0);
            for (int t = 0; t < tokens; t += LANES) {
                FloatVector sum = FloatVector.zero(F);
                for (int c = 0; c < columns; c++) {
                    sum = FloatVector.fromArray(F, x, c * BATCH + t).fma(FloatVector.broadcast(F, scratch[c]), sum);
                }
                sum.intoArray(y, r * BATCH + t);
            }
        }
    }

    /** Four rows by two vectors of tokens. */
    private static void tile(float[] rows, int columns, float[] x, float[] y, int row, int t) {
        FloatVector a00 = FloatVector.zero(F);
        FloatVector a01 = a00;
        FloatVector a10 = a00;
        FloatVector a11 = a00;
        FloatVector a20 = a00;
        FloatVector a21 = a00;
        FloatVector a30 = a00;
        FloatVector a31 = a00;
        for (int c = 0; c < columns; c++) {
            FloatVector x0 = FloatVector.fromArray(F, x, c * BATCH + t);
            FloatVector x1 = FloatVector.fromArray(F, x, c * BATCH + t + LANES);
            FloatVector w = FloatVector.broadcast(F, rows[c]);
            a00 = w.fma(x0, a00);
            a01 = w.fma(x1, a01);
            w = FloatVector.broadcast(F, rows[c + columns]);
            a10 = w.fma(x0, a10);
            a11 = w.fma(x1, a11);
            w = FloatVector.broadcast(F, rows[c + 2 * columns]);
            a20 = w.fma(x0, a20);
            a21 = w.fma(x1, a21);
            w = FloatVector.broadcast(F, rows[c + 3 * columns]);
            a30 = w.fma(x0, a30);
            a31 = w.fma(x1, a31);
        }
        int at = row * BATCH + t;
        a00.intoArray(y, at);
        a01.intoArray(y, at + LANES);
        a10.intoArray(y, at + BATCH);
        a11.intoArray(y, at + BATCH + LANES);
        a20.intoArray(y, at + 2 * BATCH);
        a21.intoArray(y, at + 2 * BATCH + LANES);
        a30.intoArray(y, at + 3 * BATCH);
        a31.intoArray(y, at + 3 * BATCH + LANES);
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
    public void scores(
            float[] query,
            int queryAt,
            int queryStride,
            float[] keys,
            int keysAt,
            int keyStride,
            int headSize,
            int positions,
            float scale,
            float[] out) {
        for (int p = 0; p < positions; p += TILE) {
            FloatVector a0 = FloatVector.zero(F);
            FloatVector a1 = a0;
            int k = keysAt + p;
            int q = queryAt;
            for (int d = 0; d < headSize; d++, k += keyStride, q += queryStride) {
                FloatVector w = FloatVector.broadcast(F, query[q]);
                a0 = FloatVector.fromArray(F, keys, k).fma(w, a0);
                a1 = FloatVector.fromArray(F, keys, k + LANES).fma(w, a1);
            }
            a0.mul(scale).intoArray(out, p);
            a1.mul(scale).intoArray(out, p + LANES);
        }
    }

    @Override
    public void softmax(float[] scores, int length) {
        int padded = (length + LANES - 1) / LANES * LANES;
        Arrays.fill(scores, length, padded, Float.NEGATIVE_INFINITY);
        FloatVector largest = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
        for (int i = 0; i < padded; i += LANES) {
            largest = largest.max(FloatVector.fromArray(F, scores, i));
        }
        float max = largest.reduceLanes(VectorOperators.MAX);
        FloatVector sums = FloatVector.zero(F);
        for (int i = 0; i < padded; i += LANES) {
            FloatVector e = exp(FloatVector.fromArray(F, scores, i).sub(max));
            e.intoArray(scores, i);
            sums = sums.add(e);
        }
        float factor = 1 / sums.reduceLanes(VectorOperators.ADD);
        for (int i = 0; i < padded; i += LANES) {
            FloatVector.fromArray(F, scores, i).mul(factor).intoArray(scores, i);
        }
    }

    @Override
    public void mix(float[] weights, int positions, float[] values, int valuesAt, int valueStride, float[] out) {
        for (int d = 0; d < valueStride; d += LANES) {
            FloatVector even = FloatVector.zero(F);
            FloatVector odd = even;
            int v = valuesAt + d;
            int p = 0;
            for (; p + 2 <= positions; p += 2, v += 2 * valueStride) {
                even = FloatVector.fromArray(F, values, v).fma(FloatVector.broadcast(F, weights[p]), even);
                odd = FloatVector.fromArray(F, values, v + valueStride)
                        .fma(FloatVector.broadcast(F, weights[p + 1]), odd);
            }
            if (p < positions) {
                even = FloatVector.fromArray(F, values, v).fma(FloatVector.broadcast(F, weights[p]), even);
            }
            even.add(odd).intoArray(out, d);
        }
    }
}
