package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import java.util.Optional;

/**
 * How a block of quantized weights splits into fields: one or two F16 numbers, scales of sub-blocks where the type has them,
 * and quants. A weight is {@code d * scale * quant - m * min}, with {@code scale} and {@code min} 1 where the type has no
 * sub-blocks. Layouts are those of GGML; quants are numbered in the order of the weights. Stateless.
 */
abstract sealed class BlockLayout {
    final GgmlType type;
    /** Weights that share one scale. */
    final int subElements;
    /** Least and greatest quant. */
    final int least;

    final int greatest;
    /** Where the F16 numbers are in a block; {@code mAt} is -1 where there is none. */
    final int dAt;

    final int mAt;
    /** Scales of sub-blocks in a block: 0 where {@code d} alone scales. */
    final int scales;
    /** Least and greatest scale of a sub-block. */
    final int leastScale;

    final int greatestScale;

    private BlockLayout(GgmlType type, int least, int greatest, int dAt, int mAt) {
        this(type, type.blockElements(), least, greatest, dAt, mAt, 0, 0, 0);
    }

    private BlockLayout(
            GgmlType type,
            int subElements,
            int least,
            int greatest,
            int dAt,
            int mAt,
            int scales,
            int leastScale,
            int greatestScale) {
        this.type = type;
        this.subElements = subElements;
        this.least = least;
        this.greatest = greatest;
        this.dAt = dAt;
        this.mAt = mAt;
        this.scales = scales;
        this.leastScale = leastScale;
        this.greatestScale = greatestScale;
    }

    /** The layout of a type whose quants this codec understands. */
    static Optional<BlockLayout> of(GgmlType type) {
        return switch (type) {
            case Q8_0 -> Optional.of(new Q8());
            case Q4_0 -> Optional.of(new Nibbles(type, -8, 7, -1));
            case Q4_1 -> Optional.of(new Nibbles(type, 0, 15, 2));
            case IQ4_NL -> Optional.of(new Nibbles(type, 0, 15, -1));
            case Q5_0 -> Optional.of(new Fives(type, -16, 15, -1));
            case Q5_1 -> Optional.of(new Fives(type, 0, 31, 2));
            case Q4_K -> Optional.of(new FourK());
            case Q5_K -> Optional.of(new FiveK());
            case Q6_K -> Optional.of(new SixK());
            default -> Optional.empty();
        };
    }

    /** Whether scales of sub-blocks come with minima. */
    boolean hasMinima() {
        return scales > 0 && mAt >= 0;
    }

    int subBlocks() {
        return type.blockElements() / subElements;
    }

    /** Reads the quants of the block at {@code at}. */
    abstract void unpack(byte[] bytes, int at, int[] quants, int to);

    /** Writes the quants into a block whose quant bits are zero. */
    abstract void pack(int[] quants, int from, byte[] bytes, int at);

    /** Reads scales and minima of a block's sub-blocks. */
    void unpackScales(byte[] bytes, int at, int[] scale, int[] minimum, int to) {}

    void packScales(int[] scale, int[] minimum, int from, byte[] bytes, int at) {}

    private static final class Q8 extends BlockLayout {
        Q8() {
            super(GgmlType.Q8_0, -128, 127, 0, -1);
        }

        @Override
        void unpack(byte[] bytes, int at, int[] quants, int to) {
            for (int i = 0; i < 32; i++) {
                quants[to + i] = bytes[at + 2 + i];
            }
        }

        @Override
        void pack(int[] quants, int from, byte[] bytes, int at) {
            for (int i = 0; i < 32; i++) {
                bytes[at + 2 + i] = (byte) quants[from + i];
            }
        }
    }

    /** Weight j in the low half of byte j, weight j + 16 in the high half. */
    private static final class Nibbles extends BlockLayout {
        private final int quantsAt;

        Nibbles(GgmlType type, int least, int greatest, int mAt) {
            super(type, least, greatest, 0, mAt);
            quantsAt = mAt < 0 ? 2 : 4;
        }

        @Override
        void unpack(byte[] bytes, int at, int[] quants, int to) {
            for (int i = 0; i < 16; i++) {
                int pair = bytes[at + quantsAt + i];
                quants[to + i] = (pair & 15) + least;
                quants[to + 16 + i] = (pair >> 4 & 15) + least;
            }
        }

        @Override
        void pack(int[] quants, int from, byte[] bytes, int at) {
            for (int i = 0; i < 16; i++) {
                int low = quants[from + i] - least & 15;
                int high = quants[from + 16 + i] - least & 15;
                bytes[at + quantsAt + i] = (byte) (low | high << 4);
            }
        }
    }

    /** Like {@link Nibbles}, the fifth bit of weight j in bit j of a 32-bit word before them. */
    private static final class Fives extends BlockLayout {
        private final int highAt;

        Fives(GgmlType type, int least, int greatest, int mAt) {
            super(type, least, greatest, 0, mAt);
            highAt = mAt < 0 ? 2 : 4;
        }

        @Override
        void unpack(byte[] bytes, int at, int[] quants, int to) {
            for (int i = 0; i < 16; i++) {
                int pair = bytes[at + highAt + 4 + i];
                quants[to + i] = (pair & 15 | high(bytes, at, i) << 4) + least;
                quants[to + 16 + i] = (pair >> 4 & 15 | high(bytes, at, 16 + i) << 4) + least;
            }
        }

        private int high(byte[] bytes, int at, int bit) {
            return bytes[at + highAt + (bit >> 3)] >> (bit & 7) & 1;
        }

        @Override
        void pack(int[] quants, int from, byte[] bytes, int at) {
            for (int i = 0; i < 16; i++) {
                int low = quants[from + i] - least;
                int high = quants[from + 16 + i] - least;
                bytes[at + highAt + 4 + i] = (byte) (low & 15 | (high & 15) << 4);
                bytes[at + highAt + (i >> 3)] |= (byte) ((low >> 4 & 1) << (i & 7));
                bytes[at + highAt + 2 + (i >> 3)] |= (byte) ((high >> 4 & 1) << (i & 7));
            }
        }
    }

    /** Eight scales and eight minima of six bits in the twelve bytes at 4. */
    private abstract static sealed class K extends BlockLayout {
        K(GgmlType type, int greatest) {
            super(type, 32, 0, greatest, 0, 2, 8, 0, 63);
        }

        @Override
        void unpackScales(byte[] bytes, int at, int[] scale, int[] minimum, int to) {
            int s = at + 4;
            for (int j = 0; j < 4; j++) {
                scale[to + j] = bytes[s + j] & 63;
                minimum[to + j] = bytes[s + 4 + j] & 63;
                scale[to + 4 + j] = bytes[s + 8 + j] & 15 | (bytes[s + j] >> 6 & 3) << 4;
                minimum[to + 4 + j] = bytes[s + 8 + j] >> 4 & 15 | (bytes[s + 4 + j] >> 6 & 3) << 4;
            }
        }

        @Override
        void packScales(int[] scale, int[] minimum, int from, byte[] bytes, int at) {
            int s = at + 4;
            for (int j = 0; j < 4; j++) {
                bytes[s + j] = (byte) (scale[from + j] & 63 | (scale[from + 4 + j] >> 4 & 3) << 6);
                bytes[s + 4 + j] = (byte) (minimum[from + j] & 63 | (minimum[from + 4 + j] >> 4 & 3) << 6);
                bytes[s + 8 + j] = (byte) (scale[from + 4 + j] & 15 | (minimum[from + 4 + j] & 15) << 4);
            }
        }
    }

    /** Groups of 64 weights: the first 32 in the low halves of 32 bytes, the others in the high halves. */
    private static final class FourK extends K {
        FourK() {
            super(GgmlType.Q4_K, 15);
        }

        @Override
        void unpack(byte[] bytes, int at, int[] quants, int to) {
            for (int group = 0; group < 4; group++) {
                for (int i = 0; i < 32; i++) {
                    int pair = bytes[at + 16 + 32 * group + i];
                    quants[to + 64 * group + i] = pair & 15;
                    quants[to + 64 * group + 32 + i] = pair >> 4 & 15;
                }
            }
        }

        @Override
        void pack(int[] quants, int from, byte[] bytes, int at) {
            for (int group = 0; group < 4; group++) {
                for (int i = 0; i < 32; i++) {
                    bytes[at + 16 + 32 * group + i] = (byte)
                            (quants[from + 64 * group + i] & 15 | (quants[from + 64 * group + 32 + i] & 15) << 4);
                }
            }
        }
    }

    /** Like {@link FourK}, with the fifth bits of group g in bits 2 g and 2 g + 1 of 32 bytes before them. */
    private static final class FiveK extends K {
        FiveK() {
            super(GgmlType.Q5_K, 31);
        }

        @Override
        void unpack(byte[] bytes, int at, int[] quants, int to) {
            for (int group = 0; group < 4; group++) {
                for (int i = 0; i < 32; i++) {
                    int pair = bytes[at + 48 + 32 * group + i];
                    int high = bytes[at + 16 + i] >> 2 * group;
                    quants[to + 64 * group + i] = pair & 15 | (high & 1) << 4;
                    quants[to + 64 * group + 32 + i] = pair >> 4 & 15 | (high & 2) << 3;
                }
            }
        }

        @Override
        void pack(int[] quants, int from, byte[] bytes, int at) {
            for (int group = 0; group < 4; group++) {
                for (int i = 0; i < 32; i++) {
                    int low = quants[from + 64 * group + i];
                    int high = quants[from + 64 * group + 32 + i];
                    bytes[at + 48 + 32 * group + i] = (byte) (low & 15 | (high & 15) << 4);
                    bytes[at + 16 + i] |= (byte) ((low >> 4 & 1 | (high >> 4 & 1) << 1) << 2 * group);
                }
            }
        }
    }

    /** 128 bytes of low halves, 64 of upper bit pairs, 16 signed scales, {@code d}; two halves of 128 weights. */
    private static final class SixK extends BlockLayout {
        SixK() {
            super(GgmlType.Q6_K, 16, -32, 31, 208, -1, 16, -128, 127);
        }

        @Override
        void unpack(byte[] bytes, int at, int[] quants, int to) {
            for (int half = 0; half < 2; half++) {
                int low = at + 64 * half;
                int high = at + 128 + 32 * half;
                int out = to + 128 * half;
                for (int i = 0; i < 32; i++) {
                    int upper = bytes[high + i];
                    quants[out + i] = (bytes[low + i] & 15 | (upper & 3) << 4) - 32;
                    quants[out + 32 + i] = (bytes[low + 32 + i] & 15 | (upper >> 2 & 3) << 4) - 32;
                    quants[out + 64 + i] = (bytes[low + i] >> 4 & 15 | (upper >> 4 & 3) << 4) - 32;
                    quants[out + 96 + i] = (bytes[low + 32 + i] >> 4 & 15 | (upper >> 6 & 3) << 4) - 32;
                }
            }
        }

        @Override
        void pack(int[] quants, int from, byte[] bytes, int at) {
            for (int half = 0; half < 2; half++) {
                int low = at + 64 * half;
                int high = at + 128 + 32 * half;
                int in = from + 128 * half;
                for (int i = 0; i < 32; i++) {
                    int a = quants[in + i] + 32;
                    int b = quants[in + 32 + i] + 32;
                    int c = quants[in + 64 + i] + 32;
                    int d = quants[in + 96 + i] + 32;
                    bytes[low + i] = (byte) (a & 15 | (c & 15) << 4);
                    bytes[low + 32 + i] = (byte) (b & 15 | (d & 15) << 4);
                    bytes[high + i] = (byte) (a >> 4 & 3 | (b >> 4 & 3) << 2 | (c >> 4 & 3) << 4 | (d >> 4 & 3) << 6);
                }
            }
        }

        @Override
        void unpackScales(byte[] bytes, int at, int[] scale, int[] minimum, int to) {
            for (int i = 0; i < 16; i++) {
                scale[to + i] = bytes[at + 192 + i];
            }
        }

        @Override
        void packScales(int[] scale, int[] minimum, int from, byte[] bytes, int at) {
            for (int i = 0; i < 16; i++) {
                bytes[at + 192 + i] = (byte) scale[from + i];
            }
        }
    }
}
