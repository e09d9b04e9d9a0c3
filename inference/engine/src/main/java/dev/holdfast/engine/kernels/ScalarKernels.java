package dev.holdfast.engine.kernels;

import dev.holdfast.gguf.RowDecoder;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The kernels as plain loops with sums in double precision: slow, easy to read, the oracle of the tests. */
public final class ScalarKernels implements Kernels {
    public static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    public static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    @Override
    public void row(Weights weights, int row, float[] out, int at) {
        RowDecoder.of(weights.type())
                .orElseThrow()
                .decode(weights.file(), weights.row(row), out, at, weights.columns());
    }

    @Override
    public void product(Weights weights, int from, int to, float[] x, float[] y, float[] scratch) {
        for (int r = from; r < to; r++) {
            row(weights, r, scratch, 0);
            y[r] = dot(scratch, x, weights.columns(), 1, 0);
        }
    }

    @Override
    public void products(Weights weights, int from, int to, float[][] xs, float[][] ys, int count, float[] scratch) {
        for (int r = from; r < to; r++) {
            row(weights, r, scratch, 0);
            for (int i = 0; i < count; i++) {
                ys[i][r] = dot(scratch, xs[i], weights.columns(), 1, 0);
            }
        }
    }

    @Override
    public void batchProduct(Weights weights, int from, int to, float[] x, float[] y, int tokens, float[] scratch) {
        for (int r = from; r < to; r++) {
            row(weights, r, scratch, 0);
            for (int t = 0; t < tokens; t++) {
                y[r * BATCH + t] = dot(scratch, x, weights.columns(), BATCH, t);
            }
        }
    }

    private static float dot(float[] row, float[] x, int columns, int stride, int token) {
        double sum = 0;
        for (int c = 0; c < columns; c++) {
            sum += (double) row[c] * x[c * stride + token];
        }
        return (float) sum;
    }

    @Override
    public void rmsNorm(float[] x, int at, float[] gain, float[] out, int features, int stride, float epsilon) {
        for (int t = at; t < at + stride; t++) {
            double squares = 0;
            for (int f = 0; f < features; f++) {
                squares += (double) x[f * stride + t] * x[f * stride + t];
            }
            float factor = (float) (1 / Math.sqrt(squares / features + epsilon));
            for (int f = 0; f < features; f++) {
                out[f * stride + t] = x[f * stride + t] * factor * gain[f];
            }
        }
    }

    @Override
    public void layerNorm(float[] x, float[] gain, float[] bias, int features, int stride, float epsilon) {
        for (int t = 0; t < stride; t++) {
            double mean = 0;
            for (int f = 0; f < features; f++) {
                mean += x[f * stride + t];
            }
            mean /= features;
            double squares = 0;
            for (int f = 0; f < features; f++) {
                squares += (x[f * stride + t] - mean) * (x[f * stride + t] - mean);
            }
            double factor = 1 / Math.sqrt(squares / features + epsilon);
            for (int f = 0; f < features; f++) {
                x[f * stride + t] = (float) ((x[f * stride + t] - mean) * factor * gain[f] + bias[f]);
            }
        }
    }

    @Override
    public void gate(Activation activation, float[] gate, float[] up, int length) {
        for (int i = 0; i < length; i++) {
            double bent = switch (activation) {
                case SILU -> gate[i] / (1 + Math.exp(-gate[i]));
                case GELU -> gelu(gate[i]);
            };
            gate[i] = (float) (bent * up[i]);
        }
    }

    @Override
    public void gelu(float[] x, int length) {
        for (int i = 0; i < length; i++) {
            x[i] = (float) gelu(x[i]);
        }
    }

    static double gelu(double x) {
        return x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    }

    @Override
    public void scaled(byte[] in, int at, float scale, float[] out, int outAt, int length) {
        for (int i = 0; i < length; i++) {
            out[outAt + i] = in[at + i] * scale;
        }
    }

    @Override
    public void scaledColumns(
            byte[] in, int at, float[] scales, int scalesAt, float[] out, int outAt, int rows, int columns) {
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                out[outAt + r * columns + c] = in[at + r * columns + c] * scales[scalesAt + c];
            }
        }
    }

    @Override
    public void scores(
            Queries queries,
            float[] keys,
            int keysAt,
            int keyStride,
            int positions,
            float[] out,
            int outAt,
            int stride) {
        for (int i = 0; i < queries.count(); i++) {
            for (int p = 0; p < positions; p++) {
                double sum = 0;
                for (int d = 0; d < queries.headSize(); d++) {
                    sum += (double) queries.values()[queries.at() + i * queries.step() + d * queries.stride()]
                            * keys[keysAt + d * keyStride + p];
                }
                out[outAt + i * stride + p] = (float) (sum * queries.scale());
            }
        }
    }

    @Override
    public void softmax(float[] scores, int at, int length) {
        float largest = Float.NEGATIVE_INFINITY;
        for (int i = at; i < at + length; i++) {
            largest = Math.max(largest, scores[i]);
        }
        double sum = 0;
        for (int i = at; i < at + length; i++) {
            scores[i] = (float) Math.exp(scores[i] - largest);
            sum += scores[i];
        }
        for (int i = at; i < at + length; i++) {
            scores[i] = (float) (scores[i] / sum);
        }
    }

    @Override
    public void mix(
            float[] weights,
            int weightsAt,
            int count,
            int stride,
            int positions,
            float[] values,
            int valuesAt,
            int valueStride,
            float[] out,
            int outAt) {
        for (int i = 0; i < count; i++) {
            for (int d = 0; d < valueStride; d++) {
                double sum = 0;
                for (int p = 0; p < positions; p++) {
                    sum += (double) weights[weightsAt + i * stride + p] * values[valuesAt + p * valueStride + d];
                }
                out[outAt + i * valueStride + d] += (float) sum;
            }
        }
    }
}
