package dev.holdfast.engine.kernels;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ADD;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import dev.holdfast.gguf.RowDecoder;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Rows of quantized weights by the Vector API: unpacked to floats, bit for bit as {@link RowDecoder} does, or multiplied with a
 * vector on the way. The layouts of blocks are described at the decoders.
 *
 * <p>Every loop here reads one row and is short. With several rows in one loop the compiler meets its limit of inlined nodes
 * below 512 bits, boxes vectors, and is more than ten times slower; {@link VectorProducts} takes more where it does not.
 */
final class VectorRows {
    private static final VectorSpecies<Float> F = VectorKernels.FLOATS;
    private static final VectorSpecies<Integer> I = F.withLanes(int.class);
    private static final int LANES = F.length();
    /** As many bytes as there are floats in a vector; eight where no vector of bytes is as short. */
    private static final VectorSpecies<Byte> B = LANES >= 16 ? ByteVector.SPECIES_128 : ByteVector.SPECIES_64;

    private static final int BLOCK = 32;
    private static final int SUPER_BLOCK = 256;

    private VectorRows() {}

    /** Unpacks row {@code row} to {@code out[at ..]}. */
    static void unpack(Weights weights, int row, float[] out, int at) {
        MemorySegment file = weights.file();
        long from = weights.row(row);
        int columns = weights.columns();
        switch (weights.type()) {
            case F32 -> MemorySegment.copy(file, ScalarKernels.FLOAT, from, out, at, columns);
            case F16 -> f16(file, from, out, at, columns);
            case BF16 -> bf16(file, from, out, at, columns);
            case Q8_0 -> q8(file, from, out, at, columns);
            case Q4_0 -> q4(file, from, out, at, columns);
            case Q5_0 -> q5(file, from, out, at, columns);
            case Q4_K -> q4k(file, from, out, at, columns);
            case Q6_K -> q6k(file, from, out, at, columns);
            default -> RowDecoder.of(weights.type()).orElseThrow().decode(file, from, out, at, columns);
        }
    }

    /** Row {@code row} times {@code x}; {@code scratch} holds a row. */
    static float dot(Weights weights, int row, float[] x, float[] scratch) {
        return switch (weights.type()) {
            case F32 -> f32Dot(weights.file(), weights.row(row), x, weights.columns());
            case Q8_0 -> q8Dot(weights.file(), weights.row(row), x, weights.columns());
            case Q4_0 -> q4Dot(weights.file(), weights.row(row), x, weights.columns());
            default -> {
                unpack(weights, row, scratch, 0);
                yield VectorKernels.dot(scratch, 0, x, 0, weights.columns());
            }
        };
    }

    static float half(MemorySegment file, long at) {
        return Float.float16ToFloat(file.get(ScalarKernels.SHORT, at));
    }

    private static void f16(MemorySegment file, long from, float[] out, int at, int columns) {
        for (int c = 0; c < columns; c++) {
            out[at + c] = half(file, from + 2L * c);
        }
    }

    private static void bf16(MemorySegment file, long from, float[] out, int at, int columns) {
        for (int c = 0; c < columns; c++) {
            out[at + c] = Float.intBitsToFloat(file.get(ScalarKernels.SHORT, from + 2L * c) << 16);
        }
    }

    static FloatVector load(float[] x, int at) {
        return FloatVector.fromArray(F, x, at);
    }

    /** Signed bytes as floats. With four lanes, every second call reads the upper half of the eight bytes before it. */
    static FloatVector signed(MemorySegment file, long at, int index) {
        return LANES >= 8
                ? (FloatVector) ByteVector.fromMemorySegment(B, file, at + index, LITTLE_ENDIAN)
                        .convertShape(B2F, F, 0)
                : (FloatVector) ByteVector.fromMemorySegment(B, file, at + (index & ~7), LITTLE_ENDIAN)
                        .convertShape(B2F, F, index >> 2 & 1);
    }

    /** As {@link #signed}, unsigned and as integers. */
    static IntVector unsigned(MemorySegment file, long at, int index) {
        return LANES >= 8
                ? (IntVector) ByteVector.fromMemorySegment(B, file, at + index, LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, 0)
                : (IntVector) ByteVector.fromMemorySegment(B, file, at + (index & ~7), LITTLE_ENDIAN)
                        .convertShape(ZERO_EXTEND_B2I, I, index >> 2 & 1);
    }

    static FloatVector floats(IntVector whole) {
        return (FloatVector) whole.convert(I2F, 0);
    }

    private static float f32Dot(MemorySegment file, long from, float[] x, int columns) {
        FloatVector sum = FloatVector.zero(F);
        int c = 0;
        for (; c + LANES <= columns; c += LANES) {
            sum = FloatVector.fromMemorySegment(F, file, from + 4L * c, LITTLE_ENDIAN)
                    .fma(load(x, c), sum);
        }
        float total = sum.reduceLanes(ADD);
        for (; c < columns; c++) {
            total = Math.fma(file.get(ScalarKernels.FLOAT, from + 4L * c), x[c], total);
        }
        return total;
    }

    private static void q8(MemorySegment file, long from, float[] out, int at, int columns) {
        long block = from;
        for (int c = 0; c < columns; c += BLOCK, block += 34) {
            float scale = half(file, block);
            for (int i = 0; i < BLOCK; i += LANES) {
                signed(file, block + 2, i).mul(scale).intoArray(out, at + c + i);
            }
        }
    }

    private static float q8Dot(MemorySegment file, long from, float[] x, int columns) {
        FloatVector sum = FloatVector.zero(F);
        long block = from;
        for (int c = 0; c < columns; c += BLOCK, block += 34) {
            FloatVector even = signed(file, block + 2, 0).mul(load(x, c));
            FloatVector odd = signed(file, block + 2, LANES).mul(load(x, c + LANES));
            if (LANES < 16) {
                even = signed(file, block + 2, 2 * LANES).fma(load(x, c + 2 * LANES), even);
                odd = signed(file, block + 2, 3 * LANES).fma(load(x, c + 3 * LANES), odd);
            }
            for (int i = 4 * LANES; i < BLOCK; i += 2 * LANES) {
                even = signed(file, block + 2, i).fma(load(x, c + i), even);
                odd = signed(file, block + 2, i + LANES).fma(load(x, c + i + LANES), odd);
            }
            sum = even.add(odd).fma(FloatVector.broadcast(F, half(file, block)), sum);
        }
        return sum.reduceLanes(ADD);
    }

    private static void q4(MemorySegment file, long from, float[] out, int at, int columns) {
        long block = from;
        for (int c = 0; c < columns; c += BLOCK, block += 18) {
            float scale = half(file, block);
            for (int i = 0; i < BLOCK / 2; i += LANES) {
                IntVector pairs = unsigned(file, block + 2, i);
                floats(pairs.and(15).sub(8)).mul(scale).intoArray(out, at + c + i);
                floats(pairs.lanewise(LSHR, 4).sub(8)).mul(scale).intoArray(out, at + c + i + 16);
            }
        }
    }

    private static float q4Dot(MemorySegment file, long from, float[] x, int columns) {
        FloatVector low = FloatVector.zero(F);
        FloatVector high = low;
        long block = from;
        for (int c = 0; c < columns; c += BLOCK, block += 18) {
            FloatVector scale = FloatVector.broadcast(F, half(file, block));
            for (int i = 0; i < BLOCK / 2; i += LANES) {
                IntVector pairs = unsigned(file, block + 2, i);
                low = floats(pairs.and(15).sub(8)).mul(scale).fma(load(x, c + i), low);
                high = floats(pairs.lanewise(LSHR, 4).sub(8)).mul(scale).fma(load(x, c + i + 16), high);
            }
        }
        return low.add(high).reduceLanes(ADD);
    }

    private static void q5(MemorySegment file, long from, float[] out, int at, int columns) {
        IntVector lanes = IntVector.zero(I).addIndex(1);
        long block = from;
        for (int c = 0; c < columns; c += BLOCK, block += 22) {
            float scale = half(file, block);
            IntVector fifths = IntVector.broadcast(I, file.get(VectorKernels.INT, block + 2))
                    .lanewise(LSHR, lanes);
            for (int i = 0; i < BLOCK / 2; i += LANES) {
                IntVector pairs = unsigned(file, block + 6, i);
                IntVector low = fifths.lanewise(LSHR, i).and(1).mul(16);
                IntVector high = fifths.lanewise(LSHR, i + 16).and(1).mul(16);
                floats(pairs.and(15).or(low).sub(16)).mul(scale).intoArray(out, at + c + i);
                floats(pairs.lanewise(LSHR, 4).or(high).sub(16)).mul(scale).intoArray(out, at + c + i + 16);
            }
        }
    }

    private static void q4k(MemorySegment file, long from, float[] out, int at, int columns) {
        long block = from;
        for (int c = 0; c < columns; c += SUPER_BLOCK, block += 144) {
            float scales = half(file, block);
            float minima = half(file, block + 2);
            for (int sub = 0; sub < 8; sub += 2) {
                q4kPairs(file, block, sub, scales, minima, out, at + c + 32 * sub);
            }
        }
    }

    private static void q4kPairs(
            MemorySegment file, long block, int sub, float scales, float minima, float[] out, int at) {
        float lowScale = scales * sixBits(file, block + 4, sub, false);
        float lowMinimum = minima * sixBits(file, block + 4, sub, true);
        float highScale = scales * sixBits(file, block + 4, sub + 1, false);
        float highMinimum = minima * sixBits(file, block + 4, sub + 1, true);
        for (int i = 0; i < BLOCK; i += LANES) {
            IntVector pairs = unsigned(file, block + 16 + 16 * sub, i);
            floats(pairs.and(15)).mul(lowScale).sub(lowMinimum).intoArray(out, at + i);
            floats(pairs.lanewise(LSHR, 4)).mul(highScale).sub(highMinimum).intoArray(out, at + i + BLOCK);
        }
    }

    /** Scale or minimum of a sub-block of a K block: the later four are split between the halves of the last bytes and spare bits. */
    private static int sixBits(MemorySegment file, long at, int sub, boolean minimum) {
        if (sub < 4) {
            return file.get(ValueLayout.JAVA_BYTE, at + sub + (minimum ? 4 : 0)) & 63;
        }
        int halves = Byte.toUnsignedInt(file.get(ValueLayout.JAVA_BYTE, at + sub + 4));
        int upper = Byte.toUnsignedInt(file.get(ValueLayout.JAVA_BYTE, at + sub - (minimum ? 0 : 4))) >> 6;
        return (minimum ? halves >> 4 : halves & 15) | upper << 4;
    }

    private static void q6k(MemorySegment file, long from, float[] out, int at, int columns) {
        long block = from;
        for (int c = 0; c < columns; c += SUPER_BLOCK, block += 210) {
            float scale = half(file, block + 208);
            q6kHalf(file, block, block + 128, block + 192, scale, out, at + c);
            q6kHalf(file, block + 64, block + 160, block + 200, scale, out, at + c + 128);
        }
    }

    private static void q6kHalf(MemorySegment file, long low, long high, long scales, float d, float[] out, int at) {
        for (int i = 0; i < BLOCK; i += LANES) {
            long scale = scales + i / 16;
            IntVector first = unsigned(file, low, i);
            IntVector second = unsigned(file, low + BLOCK, i);
            IntVector upper = unsigned(file, high, i);
            q6k(first.and(15), upper, 0, d * file.get(ValueLayout.JAVA_BYTE, scale), out, at + i);
            q6k(second.and(15), upper, 2, d * file.get(ValueLayout.JAVA_BYTE, scale + 2), out, at + i + 32);
            q6k(first.lanewise(LSHR, 4), upper, 4, d * file.get(ValueLayout.JAVA_BYTE, scale + 4), out, at + i + 64);
            q6k(second.lanewise(LSHR, 4), upper, 6, d * file.get(ValueLayout.JAVA_BYTE, scale + 6), out, at + i + 96);
        }
    }

    private static void q6k(IntVector low, IntVector upper, int bit, float scale, float[] out, int at) {
        IntVector high = upper.lanewise(LSHR, bit).and(3).mul(16);
        floats(low.or(high).sub(32)).mul(scale).intoArray(out, at);
    }
}
