package dev.holdfast.engine.kernels;

import java.util.Arrays;

/**
 * Keys and values of {@value KeyValueCache#PAGE} positions of one layer. Attention never reads them where they are: it unpacks
 * those of a head to floats, once for all queries that see them. In that form, and here too, keys are
 * {@code [dimension][position]} and values {@code [position][dimension]}, {@link KeyValueCache#valueStride} apart.
 */
public abstract sealed class KeyValuePage {
    private static final int PAGE = KeyValueCache.PAGE;
    /** Elements of a head that share a scale. */
    private static final int BLOCK = 32;

    final int heads;
    final int headSize;
    final int valueStride;

    private KeyValuePage(int heads, int headSize) {
        this.heads = heads;
        this.headSize = headSize;
        this.valueStride = KeyValueCache.valueStride(headSize);
    }

    static KeyValuePage of(CacheType type, int heads, int headSize) {
        return switch (type) {
            case F32 -> new Floats(heads, headSize);
            case F16 -> new Halves(heads, headSize);
            case Q8_0 -> new Bytes(heads, headSize);
        };
    }

    static long bytes(CacheType type, int heads, int headSize) {
        long elements = headSize + KeyValueCache.valueStride(headSize);
        long each = switch (type) {
            case F32 -> 4 * elements;
            case F16 -> 2 * elements;
            case Q8_0 -> elements + 2L * Float.BYTES * blocks(headSize);
        };
        return each * heads * PAGE;
    }

    private static int blocks(int headSize) {
        return (headSize + BLOCK - 1) / BLOCK;
    }

    /** Keeps columns {@code from} to {@code from + count} of {@code [feature][token]} at the positions from {@code at} on. */
    abstract void put(int at, int count, float[] key, float[] value, int from, int stride);

    /** Writes the keys of a head to {@code out[outAt ..]}, {@code headSize * PAGE} floats. */
    public abstract void keys(Kernels kernels, int head, float[] out, int outAt);

    /** Writes the values of a head to {@code out[outAt ..]}, {@code PAGE * valueStride} floats. */
    abstract void values(Kernels kernels, int head, float[] out, int outAt);

    abstract void erase();

    /** Where the value of a feature at a position is. */
    final int valueAt(int feature, int position) {
        return (feature / headSize * PAGE + position) * valueStride + feature % headSize;
    }

    private static final class Floats extends KeyValuePage {
        private final float[] keys;
        private final float[] values;

        Floats(int heads, int headSize) {
            super(heads, headSize);
            keys = new float[heads * headSize * PAGE];
            values = new float[heads * valueStride * PAGE];
        }

        @Override
        void put(int at, int count, float[] key, float[] value, int from, int stride) {
            for (int f = 0; f < heads * headSize; f++) {
                System.arraycopy(key, f * stride + from, keys, f * PAGE + at, count);
                for (int t = 0; t < count; t++) {
                    values[valueAt(f, at + t)] = value[f * stride + from + t];
                }
            }
        }

        @Override
        public void keys(Kernels kernels, int head, float[] out, int outAt) {
            System.arraycopy(keys, head * headSize * PAGE, out, outAt, headSize * PAGE);
        }

        @Override
        void values(Kernels kernels, int head, float[] out, int outAt) {
            System.arraycopy(values, head * valueStride * PAGE, out, outAt, valueStride * PAGE);
        }

        @Override
        void erase() {
            Arrays.fill(keys, 0);
            Arrays.fill(values, 0);
        }
    }

    private static final class Halves extends KeyValuePage {
        private static final float LARGEST = 65504;

        private final short[] keys;
        private final short[] values;

        Halves(int heads, int headSize) {
            super(heads, headSize);
            keys = new short[heads * headSize * PAGE];
            values = new short[heads * valueStride * PAGE];
        }

        @Override
        void put(int at, int count, float[] key, float[] value, int from, int stride) {
            for (int f = 0; f < heads * headSize; f++) {
                for (int t = 0; t < count; t++) {
                    keys[f * PAGE + at + t] = half(key[f * stride + from + t]);
                    values[valueAt(f, at + t)] = half(value[f * stride + from + t]);
                }
            }
        }

        private static short half(float value) {
            return Float.floatToFloat16(Math.max(-LARGEST, Math.min(LARGEST, value)));
        }

        @Override
        public void keys(Kernels kernels, int head, float[] out, int outAt) {
            kernels.halves(keys, head * headSize * PAGE, out, outAt, headSize * PAGE);
        }

        @Override
        void values(Kernels kernels, int head, float[] out, int outAt) {
            kernels.halves(values, head * valueStride * PAGE, out, outAt, valueStride * PAGE);
        }

        @Override
        void erase() {
            Arrays.fill(keys, (short) 0);
            Arrays.fill(values, (short) 0);
        }
    }

    /** Scales are {@code [block][position]} for keys and {@code [position][block]} for values. */
    private static final class Bytes extends KeyValuePage {
        private final int blocks;
        private final byte[] keys;
        private final byte[] values;
        private final float[] keyScales;
        private final float[] valueScales;

        Bytes(int heads, int headSize) {
            super(heads, headSize);
            blocks = blocks(headSize);
            keys = new byte[heads * headSize * PAGE];
            values = new byte[heads * valueStride * PAGE];
            keyScales = new float[heads * blocks * PAGE];
            valueScales = new float[heads * blocks * PAGE];
        }

        @Override
        void put(int at, int count, float[] key, float[] value, int from, int stride) {
            for (int head = 0; head < heads; head++) {
                for (int b = 0; b < blocks; b++) {
                    int first = head * headSize + b * BLOCK;
                    int end = Math.min(first + BLOCK, (head + 1) * headSize);
                    for (int t = 0; t < count; t++) {
                        put(first, end, head, b, at + t, key, value, from + t, stride);
                    }
                }
            }
        }

        private void put(
                int first, int end, int head, int b, int position, float[] key, float[] value, int token, int stride) {
            float keyScale = scale(key, first, end, token, stride);
            float valueScale = scale(value, first, end, token, stride);
            keyScales[(head * blocks + b) * PAGE + position] = keyScale;
            valueScales[(head * PAGE + position) * blocks + b] = valueScale;
            for (int f = first; f < end; f++) {
                keys[f * PAGE + position] = quantum(key[f * stride + token], keyScale);
                values[valueAt(f, position)] = quantum(value[f * stride + token], valueScale);
            }
        }

        /** What the largest element becomes 127 by. No number gives no number, which then reaches the logits and is refused there. */
        private static float scale(float[] x, int first, int end, int token, int stride) {
            float largest = 0;
            for (int f = first; f < end; f++) {
                largest = Math.max(largest, Math.abs(x[f * stride + token]));
            }
            return largest / Byte.MAX_VALUE;
        }

        private static byte quantum(float value, float scale) {
            return scale == 0 ? 0 : (byte) Math.round(value / scale);
        }

        @Override
        public void keys(Kernels kernels, int head, float[] out, int outAt) {
            for (int b = 0; b < blocks; b++) {
                int first = head * headSize + b * BLOCK;
                int rows = Math.min(BLOCK, headSize - b * BLOCK);
                int to = outAt + b * BLOCK * PAGE;
                kernels.scaledColumns(keys, first * PAGE, keyScales, (head * blocks + b) * PAGE, out, to, rows, PAGE);
            }
        }

        @Override
        void values(Kernels kernels, int head, float[] out, int outAt) {
            for (int p = 0; p < PAGE; p++) {
                int at = (head * PAGE + p) * valueStride;
                for (int d = 0; d < valueStride; d += BLOCK) {
                    float scale = valueScales[(head * PAGE + p) * blocks + d / BLOCK];
                    int length = Math.min(BLOCK, valueStride - d);
                    kernels.scaled(values, at + d, scale, out, outAt + p * valueStride + d, length);
                }
            }
        }

        @Override
        void erase() {
            Arrays.fill(keys, (byte) 0);
            Arrays.fill(values, (byte) 0);
            Arrays.fill(keyScales, 0);
            Arrays.fill(valueScales, 0);
        }
    }
}
