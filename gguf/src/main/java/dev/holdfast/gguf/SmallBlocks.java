package dev.holdfast.gguf;

import java.nio.ByteBuffer;

/**
 * Blocks of 32 weights with one scale, and a minimum where the type has one:
 *
 * <pre>
 * Q8_0          f16 d, 32 signed bytes                      w = d q
 * Q4_0, Q5_0    f16 d, [u32 fifth bits], 16 bytes of pairs   w = d (q - 8), d (q - 16)
 * Q4_1, Q5_1    f16 d, f16 m, [u32 fifth bits], 16 bytes     w = d q + m
 * IQ4_NL        f16 d, 16 bytes of pairs                     w = d VALUES[q]
 * </pre>
 *
 * A pair holds weight j in its low half and weight j + 16 in its high half.
 */
final class SmallBlocks {
    private static final int ELEMENTS = 32;
    /** The values that four bits of IQ4_NL stand for. */
    static final int[] VALUES = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    /** Scales tried on either side of the first guess. */
    private static final int TRIES = 7;

    private SmallBlocks() {}

    static void q8(float[] row, int from, ByteBuffer out) {
        float largest = 0;
        for (int i = 0; i < ELEMENTS; i++) {
            largest = Math.max(largest, Math.abs(row[from + i]));
        }
        float scale = largest / 127;
        float inverse = scale == 0 ? 0 : 1 / scale;
        out.putShort(Float.floatToFloat16(scale));
        for (int i = 0; i < ELEMENTS; i++) {
            float quotient = row[from + i] * inverse;
            // C's roundf: halves go away from zero.
            out.put((byte) (quotient < 0 ? Math.ceil(quotient - 0.5) : Math.floor(quotient + 0.5)));
        }
    }

    /** Q4_0 and Q5_0: the weight of the greatest magnitude gets the least quant. */
    static void signed(float[] row, int from, int bits, int[] quants, ByteBuffer out) {
        int half = 1 << bits - 1;
        float extreme = extreme(row, from, ELEMENTS);
        float scale = extreme / -half;
        float inverse = scale == 0 ? 0 : 1 / scale;
        for (int i = 0; i < ELEMENTS; i++) {
            quants[i] = Math.min(2 * half - 1, (int) (row[from + i] * inverse + (half + 0.5f)));
        }
        out.putShort(Float.floatToFloat16(scale));
        quants(bits, quants, out);
    }

    /** Q4_1 and Q5_1. */
    static void unsigned(float[] row, int from, int bits, int[] quants, ByteBuffer out) {
        int greatest = (1 << bits) - 1;
        float least = row[from];
        float most = row[from];
        for (int i = 1; i < ELEMENTS; i++) {
            least = Math.min(least, row[from + i]);
            most = Math.max(most, row[from + i]);
        }
        float scale = (most - least) / greatest;
        float inverse = scale == 0 ? 0 : 1 / scale;
        for (int i = 0; i < ELEMENTS; i++) {
            quants[i] = Math.min(greatest, (int) ((row[from + i] - least) * inverse + 0.5f));
        }
        out.putShort(Float.floatToFloat16(scale));
        out.putShort(Float.floatToFloat16(least));
        quants(bits, quants, out);
    }

    /** IQ4_NL: the scale that loses least, large weights counting more. */
    static void nonLinear(float[] row, int from, int[] quants, ByteBuffer out) {
        float extreme = extreme(row, from, ELEMENTS);
        float best = 0;
        if (extreme != 0) {
            float most = 0;
            for (int tried = -TRIES; tried <= TRIES; tried++) {
                float inverse = (VALUES[0] + tried) / extreme;
                float products = 0;
                float squares = 0;
                for (int i = 0; i < ELEMENTS; i++) {
                    float weight = row[from + i];
                    float value = VALUES[nearest(weight * inverse)];
                    float importance = weight * weight;
                    products += importance * value * weight;
                    squares += importance * value * value;
                }
                if (squares > 0 && products * products > most * squares) {
                    best = products / squares;
                    most = best * products;
                }
            }
        }
        float inverse = best == 0 ? 0 : 1 / best;
        for (int i = 0; i < ELEMENTS; i++) {
            quants[i] = nearest(row[from + i] * inverse);
        }
        out.putShort(Float.floatToFloat16(best));
        quants(4, quants, out);
    }

    static int nearest(float place) {
        int index = 0;
        while (index < 15 && place - VALUES[index] > VALUES[index + 1] - place) {
            index++;
        }
        return index;
    }

    /** The weight of the greatest magnitude, with its sign. */
    static float extreme(float[] row, int from, int count) {
        float extreme = 0;
        for (int i = 0; i < count; i++) {
            if (Math.abs(row[from + i]) > Math.abs(extreme)) {
                extreme = row[from + i];
            }
        }
        return extreme;
    }

    private static void quants(int bits, int[] quants, ByteBuffer out) {
        if (bits == 5) {
            int high = 0;
            for (int i = 0; i < ELEMENTS; i++) {
                high |= (quants[i] >> 4 & 1) << i;
            }
            out.putInt(high);
        }
        for (int i = 0; i < ELEMENTS / 2; i++) {
            out.put((byte) (quants[i] & 15 | (quants[i + 16] & 15) << 4));
        }
    }
}
