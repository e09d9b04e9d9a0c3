package dev.holdfast.gguf;

import java.nio.ByteBuffer;

/** Turns a row of floats into the blocks of a type, as GGML's reference quantiser does. */
final class RowEncoder {
    private RowEncoder() {}

    static boolean supports(GgmlType type) {
        return type == GgmlType.F32 || type == GgmlType.F16 || type == GgmlType.Q8_0;
    }

    /** {@code out} is little-endian and has room for the row. */
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
            case Q8_0 -> {
                for (int from = 0; from < row.length; from += GgmlType.Q8_0.blockElements()) {
                    q8Block(row, from, out);
                }
            }
            default -> throw new IllegalArgumentException("no quantiser for " + type);
        }
    }

    /** 34 bytes: scale as F16, then 32 signed bytes. */
    private static void q8Block(float[] row, int from, ByteBuffer out) {
        float largest = 0;
        for (int i = 0; i < 32; i++) {
            largest = Math.max(largest, Math.abs(row[from + i]));
        }
        float scale = largest / 127;
        float inverse = scale == 0 ? 0 : 1 / scale;
        out.putShort(Float.floatToFloat16(scale));
        for (int i = 0; i < 32; i++) {
            float quotient = row[from + i] * inverse;
            // C's roundf: halves go away from zero.
            out.put((byte) (quotient < 0 ? Math.ceil(quotient - 0.5) : Math.floor(quotient + 0.5)));
        }
    }
}
