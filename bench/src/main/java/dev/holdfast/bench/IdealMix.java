package dev.holdfast.bench;

import dev.holdfast.delta.DeltaInspection;
import dev.holdfast.delta.DeltaOp;
import dev.holdfast.delta.FieldStreams;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The yardstick for the coder: how short the residuals would be if a logistic mix of eight adaptive models (after Mahoney's
 * PAQ) predicted each of their binary decisions. It sees what our coder sees and more: neighbours in row and column, what was
 * expected, and running activities of rows and columns. Its length is ideal, the sum of the negative logarithms of the
 * probabilities; no decoder of such a mix would be fast enough for a device. Not thread-safe.
 */
final class IdealMix implements FieldStreams.Visitor {
    private static final int NODES = 256;
    private static final int MODELS = 8;
    private static final int CLASSES = 12;
    /** Observations that a probability averages over, at most. */
    private static final int MEMORY = 500;

    private static final double LOG_2 = Math.log(2);

    private final Map<String, Double> bitsOf = new HashMap<>();
    private final Map<Integer, Stream> streams = new HashMap<>();
    private String name = "";

    private IdealMix() {}

    /**
     * Bytes of a patch whose tensor operations were coded by the mix, everything else in it as it is: head, block table,
     * hashes, and what went through zstd.
     */
    static double bytes(Path base, Path next, Path patch) throws IOException, RejectedException {
        IdealMix mix = new IdealMix();
        FieldStreams.walk(base, next, mix);
        double bytes = Files.size(patch);
        for (DeltaInspection.Part part : DeltaInspection.of(patch).orThrow().parts()) {
            long coded = part.operations().getOrDefault(DeltaOp.QDIFF, 0L)
                    + part.operations().getOrDefault(DeltaOp.FDIFF, 0L);
            if (coded > 0 && mix.bitsOf.containsKey(part.name())) {
                bytes += mix.bitsOf.get(part.name()) / 8 - coded;
            }
        }
        return bytes;
    }

    @Override
    public void tensor(String tensor, GgmlType type, int columns) {
        name = tensor;
        streams.clear();
    }

    @Override
    public void fields(int stream, int perRow, int[] contexts, int[] predicted, int[] residuals, int n) {
        Stream mixed = streams.computeIfAbsent(stream, key -> new Stream(perRow));
        double bits = 0;
        for (int i = 0; i < n; i++) {
            bits += mixed.bits(contexts[i], predicted[i], residuals[i]);
        }
        bitsOf.merge(name, bits, Double::sum);
    }

    /** One stream of one tensor. */
    private static final class Stream {
        private final float[][] probability = new float[MODELS][];
        private final short[][] seen = new short[MODELS][];
        private final double[][] weights = new double[NODES][MODELS];
        private final int[] rows = new int[MODELS];
        private final double[] stretched = new double[MODELS];
        private final int[] above;
        private final float[] columnActivity;
        private float rowActivity;
        private int column;
        private int last;
        private int beforeLast;

        Stream(int perRow) {
            above = new int[perRow];
            columnActivity = new float[perRow];
            int[] contexts = {
                FieldStreams.FRACTIONS,
                256,
                FieldStreams.FRACTIONS * CLASSES * CLASSES,
                FieldStreams.FRACTIONS * 49,
                FieldStreams.FRACTIONS * 7 * CLASSES,
                CLASSES * CLASSES * CLASSES,
                FieldStreams.FRACTIONS * 64,
                256 * CLASSES
            };
            for (int i = 0; i < MODELS; i++) {
                probability[i] = new float[contexts[i] * NODES];
                Arrays.fill(probability[i], 0.5f);
                seen[i] = new short[contexts[i] * NODES];
            }
            for (double[] of : weights) {
                Arrays.fill(of, 0.3);
            }
        }

        double bits(int context, int predicted, int residual) {
            int place = context % FieldStreams.FRACTIONS;
            int move = Math.min(context / FieldStreams.FRACTIONS, CLASSES - 1);
            int row = activity(rowActivity);
            int col = activity(columnActivity[column]);
            rows[0] = place;
            rows[1] = context & 255;
            rows[2] = (place * CLASSES + row) * CLASSES + col;
            rows[3] = (place * 7 + clip(last)) * 7 + clip(beforeLast);
            rows[4] = (place * 7 + clip(above[column])) * CLASSES + col;
            rows[5] = (move * CLASSES + row) * CLASSES + col;
            rows[6] = place * 64 + (Math.clamp(predicted, -32, 31) + 32);
            rows[7] = (context & 255) * CLASSES + row;
            double bits = magnitude(residual);
            note(residual);
            return bits;
        }

        /** Zero or not, the sign, the bit length in unary, three bits below the leading one; what remains costs a bit each. */
        private double magnitude(int residual) {
            double bits = decide(0, residual == 0);
            if (residual == 0) {
                return bits;
            }
            bits += decide(1, residual < 0);
            int rest = Math.abs(residual);
            int length = 32 - Integer.numberOfLeadingZeros(rest);
            for (int i = 1; i < length; i++) {
                bits += decide(1 + i, true);
            }
            bits += decide(1 + length, false);
            int path = 1;
            int modelled = Math.min(3, length - 1);
            for (int i = 0; i < modelled; i++) {
                int bit = rest >>> (length - 2 - i) & 1;
                // Lengths above 20 do not occur in what was read as a half, and share nodes in what was read as a
                // float.
                bits += decide(40 + Math.min(length, 20) * 8 + path, bit == 1);
                path = 2 * path + bit;
            }
            return bits + (length - 1 - modelled);
        }

        private double decide(int node, boolean one) {
            double[] of = weights[node];
            double sum = 0;
            for (int i = 0; i < MODELS; i++) {
                double p = probability[i][rows[i] * NODES + node];
                stretched[i] = Math.log(p / (1 - p));
                sum += of[i] * stretched[i];
            }
            double p = Math.clamp(1 / (1 + Math.exp(-sum)), 1e-5, 1 - 1e-5);
            double error = (one ? 1 : 0) - p;
            for (int i = 0; i < MODELS; i++) {
                of[i] += 0.002 * error * stretched[i];
                int at = rows[i] * NODES + node;
                float now = probability[i][at];
                now += ((one ? 1f : 0f) - now) / (seen[i][at] + 1.6f);
                probability[i][at] = Math.clamp(now, 1e-5f, 1 - 1e-5f);
                if (seen[i][at] < MEMORY) {
                    seen[i][at]++;
                }
            }
            return -Math.log(one ? p : 1 - p) / LOG_2;
        }

        private void note(int residual) {
            int size = Math.min(Math.abs(residual), 1 << 12);
            rowActivity += (size - rowActivity) * (1 / 24f);
            columnActivity[column] += (size - columnActivity[column]) * (1 / 12f);
            above[column] = residual;
            beforeLast = last;
            last = residual;
            column++;
            if (column == above.length) {
                column = 0;
            }
        }

        private static int activity(float mean) {
            return Math.clamp((int) Math.floor(Math.log(mean + 0.004f) / LOG_2) + 8, 0, CLASSES - 1);
        }

        private static int clip(int residual) {
            return Math.clamp(residual, -3, 3) + 3;
        }
    }
}
