package dev.holdfast.gguf;

import java.nio.ByteBuffer;

/**
 * Turns a row of floats into the blocks of a type. Every step is IEEE 754 arithmetic in a fixed order, so each machine makes
 * the same bytes. F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 follow GGML's reference quantizer; the others choose their
 * scales by a search of their own over the same blocks.
 */
final class RowEncoder {
    private RowEncoder() {}

    static boolean supports(GgmlType type) {
        return switch (type) {
            case F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, IQ4_NL -> true;
            default -> false;
        };
    }

    /** {@code out} is little-endian and has room for the row, whose length is a whole number of blocks. */
    static void encode(GgmlType type, float[] row, ByteBuffer out) {
        switch (type) {
            case F32 -> {
                for (float value : row) {
                    out.putFloat(value);
                }
            }
            case F16 -> {
                for (float value : row) {
                    out.putShort(Float.floatToFloat16(value));
                }
            }
            case BF16 -> {
                for (float value : row) {
                    out.putShort(brain(value));
                }
            }
            default -> blocks(type, row, out);
        }
    }

    private static void blocks(GgmlType type, float[] row, ByteBuffer out) {
        int[] quants = new int[type.blockElements()];
        for (int from = 0; from < row.length; from += type.blockElements()) {
            switch (type) {
                case Q8_0 -> SmallBlocks.q8(row, from, out);
                case Q4_0 -> SmallBlocks.signed(row, from, 4, quants, out);
                case Q5_0 -> SmallBlocks.signed(row, from, 5, quants, out);
                case Q4_1 -> SmallBlocks.unsigned(row, from, 4, quants, out);
                case Q5_1 -> SmallBlocks.unsigned(row, from, 5, quants, out);
                case IQ4_NL -> SmallBlocks.nonLinear(row, from, quants, out);
                case Q4_K -> SuperBlocks.withMinima(row, from, 4, quants, out);
                case Q5_K -> SuperBlocks.withMinima(row, from, 5, quants, out);
                case Q6_K -> SuperBlocks.q6(row, from, quants, out);
                default -> throw new IllegalArgumentException("no quantizer for " + type);
            }
        }
    }

    /** The nearest BF16, halves to even; NaN stays NaN. */
    private static short brain(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
