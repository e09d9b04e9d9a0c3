package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** F32, F16 and BF16 as bit patterns, and as integers that are ordered as the numbers are. */
final class Floats {
    private static final VarHandle SHORTS =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    private Floats() {}

    static boolean isFloat(GgmlType type) {
        return type == GgmlType.F32 || type == GgmlType.F16 || type == GgmlType.BF16;
    }

    static int read(GgmlType type, byte[] bytes, int at) {
        return type == GgmlType.F32 ? (int) INTS.get(bytes, at) : (short) SHORTS.get(bytes, at) & 0xffff;
    }

    static void write(GgmlType type, int bits, byte[] bytes, int at) {
        if (type == GgmlType.F32) {
            INTS.set(bytes, at, bits);
        } else {
            SHORTS.set(bytes, at, (short) bits);
        }
    }

    static double value(GgmlType type, int bits) {
        return switch (type) {
            case F16 -> Float.float16ToFloat((short) bits);
            case BF16 -> Float.intBitsToFloat(bits << 16);
            default -> Float.intBitsToFloat(bits);
        };
    }

    /** The nearest bit pattern, as a quantizer would write it. */
    static int of(GgmlType type, double value) {
        return switch (type) {
            case F16 -> Float.floatToFloat16((float) value) & 0xffff;
            case BF16 -> {
                int bits = Float.floatToRawIntBits((float) value);
                yield bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
            }
            default -> Float.floatToRawIntBits((float) value);
        };
    }

    static int exponent(GgmlType type, int bits) {
        return switch (type) {
            case F16 -> bits >> 10 & 31;
            case BF16 -> bits >> 7 & 255;
            default -> bits >> 23 & 255;
        };
    }

    /** Neighbouring numbers become neighbouring integers. */
    static int ordered(GgmlType type, int bits) {
        if (type == GgmlType.F32) {
            return bits ^ bits >> 31 & 0x7fffffff;
        }
        short half = (short) bits;
        return half ^ half >> 15 & 0x7fff;
    }

    static int unordered(GgmlType type, int ordered) {
        return type == GgmlType.F32 ? ordered(type, ordered) : ordered(type, ordered) & 0xffff;
    }
}
