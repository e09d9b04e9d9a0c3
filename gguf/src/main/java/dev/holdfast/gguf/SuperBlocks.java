package dev.holdfast.gguf;

import java.nio.ByteBuffer;

/**
 * Blocks of 256 weights, cut into sub-blocks whose scales are themselves quantized:
 *
 * <pre>
 * Q4_K  f16 d, f16 m, 12 bytes of 6-bit scales and minima, 128 bytes of pairs                    w = d s q - m n
 * Q5_K  the same with 32 bytes of fifth bits before the pairs
 * Q6_K  128 bytes of low halves, 64 of upper pairs of bits, 16 signed scales, f16 d              w = d s (q - 32)
 * </pre>
 *
 * Q4_K and Q5_K have eight sub-blocks of 32 weights, Q6_K sixteen of 16. For each sub-block several scales are tried; with
 * each the best scale and minimum for the quants that it gives follow from least squares, and the one that loses least wins.
 */
final class SuperBlocks {
    private static final int ELEMENTS = 256;
    private static final int SCALE_MAX = 63;
    private static final int TRIES = 20;

    private SuperBlocks() {}

    static void withMinima(float[] row, int from, int bits, int[] quants, ByteBuffer out) {
        int greatest = (1 << bits) - 1;
        float[] scales = new float[8];
        float[] minima = new float[8];
        float largestScale = 0;
        float largestMinimum = 0;
        for (int sub = 0; sub < 8; sub++) {
            fit(row, from + 32 * sub, greatest, sub, scales, minima);
            largestScale = Math.max(largestScale, scales[sub]);
            largestMinimum = Math.max(largestMinimum, minima[sub]);
        }
        short d = Float.floatToFloat16(largestScale / SCALE_MAX);
        short m = Float.floatToFloat16(largestMinimum / SCALE_MAX);
        int[] s = sixBits(scales, largestScale);
        int[] n = sixBits(minima, largestMinimum);
        for (int sub = 0; sub < 8; sub++) {
            float scale = Float.float16ToFloat(d) * s[sub];
            float minimum = Float.float16ToFloat(m) * n[sub];
            for (int i = 32 * sub; i < 32 * sub + 32; i++) {
                quants[i] = scale == 0 ? 0 : clamp(Math.round((row[from + i] + minimum) / scale), 0, greatest);
            }
        }
        out.putShort(d).putShort(m);
        for (int j = 0; j < 4; j++) {
            out.put((byte) (s[j] | s[j + 4] >> 4 << 6));
        }
        for (int j = 0; j < 4; j++) {
            out.put((byte) (n[j] | n[j + 4] >> 4 << 6));
        }
        for (int j = 4; j < 8; j++) {
            out.put((byte) (s[j] & 15 | (n[j] & 15) << 4));
        }
        if (bits == 5) {
            for (int i = 0; i < 32; i++) {
                int high = 0;
                for (int sub = 0; sub < 8; sub++) {
                    high |= (quants[32 * sub + i] >> 4 & 1) << sub;
                }
                out.put((byte) high);
            }
        }
        for (int group = 0; group < 4; group++) {
            for (int i = 64 * group; i < 64 * group + 32; i++) {
                out.put((byte) (quants[i] & 15 | (quants[i + 32] & 15) << 4));
            }
        }
    }

    private static int[] sixBits(float[] values, float largest) {
        int[] out = new int[values.length];
        float inverse = largest > 0 ? SCALE_MAX / largest : 0;
        for (int i = 0; i < out.length; i++) {
            out[i] = clamp(Math.round(values[i] * inverse), 0, SCALE_MAX);
        }
        return out;
    }

    /** Scale and minimum (its sign turned) of one sub-block. */
    private static void fit(float[] row, int from, int greatest, int sub, float[] scales, float[] minima) {
        float squares = 0;
        float least = 0;
        float most = row[from];
        for (int i = from; i < from + 32; i++) {
            squares += row[i] * row[i];
            least = Math.min(least, row[i]);
            most = Math.max(most, row[i]);
        }
        if (most <= least) {
            scales[sub] = 0;
            minima[sub] = -least;
            return;
        }
        float mean = (float) Math.sqrt(squares / 32);
        float bestLoss = Float.MAX_VALUE;
        for (int tried = 0; tried <= TRIES; tried++) {
            float inverse = (greatest - 1 + 0.1f * tried) / (most - least);
            float w = 0;
            float x = 0;
            float q = 0;
            float qq = 0;
            float qx = 0;
            for (int i = from; i < from + 32; i++) {
                int quant = clamp(Math.round((row[i] - least) * inverse), 0, greatest);
                float importance = mean + Math.abs(row[i]);
                w += importance;
                x += importance * row[i];
                q += importance * quant;
                qq += importance * quant * quant;
                qx += importance * quant * row[i];
            }
            float determinant = w * qq - q * q;
            if (determinant <= 0) {
                continue;
            }
            float scale = (w * qx - x * q) / determinant;
            float minimum = (qq * x - q * qx) / determinant;
            if (minimum > 0) {
                minimum = 0;
                scale = qx / qq;
            }
            float loss = 0;
            for (int i = from; i < from + 32; i++) {
                int quant = clamp(Math.round((row[i] - least) * inverse), 0, greatest);
                float error = scale * quant + minimum - row[i];
                loss += (mean + Math.abs(row[i])) * error * error;
            }
            if (loss < bestLoss && scale > 0) {
                bestLoss = loss;
                scales[sub] = scale;
                minima[sub] = -minimum;
            }
        }
    }

    static void q6(float[] row, int from, int[] quants, ByteBuffer out) {
        float[] scales = new float[16];
        for (int sub = 0; sub < 16; sub++) {
            scales[sub] = symmetric(row, from + 16 * sub);
        }
        float extreme = SmallBlocks.extreme(scales, 0, 16);
        short d = Float.floatToFloat16(extreme / -128);
        float scale = Float.float16ToFloat(d);
        byte[] s = new byte[16];
        for (int sub = 0; sub < 16; sub++) {
            s[sub] = (byte) (scale == 0 ? 0 : clamp(Math.round(scales[sub] / scale), -128, 127));
            float step = scale * s[sub];
            for (int i = 16 * sub; i < 16 * sub + 16; i++) {
                quants[i] = step == 0 ? 32 : clamp(Math.round(row[from + i] / step), -32, 31) + 32;
            }
        }
        for (int half = 0; half < ELEMENTS; half += 128) {
            for (int i = half; i < half + 64; i++) {
                out.put((byte) (quants[i] & 15 | (quants[i + 64] & 15) << 4));
            }
        }
        for (int half = 0; half < ELEMENTS; half += 128) {
            for (int i = half; i < half + 32; i++) {
                out.put((byte) (quants[i] >> 4
                        | quants[i + 32] >> 4 << 2
                        | quants[i + 64] >> 4 << 4
                        | quants[i + 96] >> 4 << 6));
            }
        }
        out.put(s).putShort(d);
    }

    /** The scale of sixteen weights that loses least with quants from -32 to 31. */
    private static float symmetric(float[] row, int from) {
        float extreme = SmallBlocks.extreme(row, from, 16);
        if (extreme == 0) {
            return 0;
        }
        float best = 0;
        float most = -1;
        for (int tried = -9; tried <= 9; tried++) {
            float inverse = -(32 + 0.1f * tried) / extreme;
            float products = 0;
            float squares = 0;
            for (int i = from; i < from + 16; i++) {
                int quant = clamp(Math.round(row[i] * inverse), -32, 31);
                float importance = row[i] * row[i];
                products += importance * row[i] * quant;
                squares += importance * quant * quant;
            }
            if (squares > 0 && products * products > most * squares) {
                best = products / squares;
                most = best * products;
            }
        }
        return best;
    }

    private static int clamp(int value, int least, int greatest) {
        return Math.min(Math.max(value, least), greatest);
    }
}
