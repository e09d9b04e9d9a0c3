package dev.holdfast.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Fine-tunes that no data set is needed for: Adam (Kingma and Ba 2015, betas 0.9 and 0.999) walks from real published weights
 * along gradients of low rank, as those of a linear layer are: a sum of outer products of an output's error and an input's
 * activation, both with log-normal magnitudes, so that rows and columns move by unlike amounts. Deterministic by its seed.
 */
final class FineTune {
    private static final double BETA_1 = 0.9;
    private static final double BETA_2 = 0.999;
    private static final double EPSILON = 1e-8;
    /** Outer products of one step's gradient. */
    private static final int RANK = 4;

    private FineTune() {}

    /** Which tensors move, and how. */
    enum Kind {
        /** All weights, a learning rate of 5e-5. */
        LIGHT(5e-5, 60),
        /** All weights, 5e-4. */
        HEAVY(5e-4, 60),
        /** The last two of twelve layers, 1e-4. */
        LAST(1e-4, 60),
        /** Adapters of rank 8 on the attention matrices, 3e-4, merged. */
        LORA(3e-4, 160);

        final double rate;
        final int steps;

        Kind(double rate, int steps) {
            this.rate = rate;
            this.steps = steps;
        }
    }

    /** Copies of {@code tensors} with moved weights; those that the kind leaves alone are the same objects. */
    static List<OnnxWeights.Tensor> of(List<OnnxWeights.Tensor> tensors, Kind kind, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        List<OnnxWeights.Tensor> out = new ArrayList<>();
        int matrices = (int) tensors.stream().filter(FineTune::isMatrix).count();
        int matrix = 0;
        for (OnnxWeights.Tensor tensor : tensors) {
            boolean large = isMatrix(tensor);
            matrix += large ? 1 : 0;
            boolean moves = switch (kind) {
                case LIGHT, HEAVY -> true;
                // The matrices are in the order of the layers.
                case LAST -> large && matrix > matrices * 10 / 12;
                case LORA -> large && tensor.dims()[0] == tensor.dims()[1];
            };
            out.add(moves ? moved(tensor, kind, random.split()) : tensor);
        }
        return out;
    }

    private static boolean isMatrix(OnnxWeights.Tensor tensor) {
        return tensor.dims().length == 2 && tensor.dims()[0] > 1 && tensor.dims()[1] % 32 == 0;
    }

    private static OnnxWeights.Tensor moved(OnnxWeights.Tensor tensor, Kind kind, SplittableRandom random) {
        float[] values = tensor.values().clone();
        int columns = tensor.dims().length == 0 ? 1 : (int) tensor.dims()[tensor.dims().length - 1];
        int rows = values.length / columns;
        if (kind == Kind.LORA) {
            adapter(values, rows, columns, kind, random);
        } else {
            adam(values, rows, columns, kind, random);
        }
        return new OnnxWeights.Tensor(tensor.name(), tensor.dims(), values);
    }

    private static void adam(float[] values, int rows, int columns, Kind kind, SplittableRandom random) {
        double[] rowScale = magnitudes(rows, random);
        double[] columnScale = magnitudes(columns, random);
        float[] m = new float[values.length];
        float[] v = new float[values.length];
        // Part of each gradient comes again in every step: that is what training learns from.
        float[][] steadyRows = vectors(rows, rowScale, random);
        float[][] steadyColumns = vectors(columns, columnScale, random);
        for (int step = 1; step <= kind.steps; step++) {
            float[][] u = vectors(rows, rowScale, random);
            float[][] w = vectors(columns, columnScale, random);
            float correct1 = (float) (1 - StrictMath.pow(BETA_1, step));
            float correct2 = (float) (1 - StrictMath.pow(BETA_2, step));
            for (int r = 0; r < rows; r++) {
                for (int c = 0, i = r * columns; c < columns; c++, i++) {
                    float gradient = 0;
                    for (int k = 0; k < RANK; k++) {
                        gradient += u[k][r] * w[k][c] + 0.3f * steadyRows[k][r] * steadyColumns[k][c];
                    }
                    m[i] += (float) (1 - BETA_1) * (gradient - m[i]);
                    v[i] += (float) (1 - BETA_2) * (gradient * gradient - v[i]);
                    values[i] -= (float) kind.rate
                            * (m[i] / correct1)
                            / ((float) Math.sqrt(v[i] / correct2) + (float) EPSILON);
                }
            }
        }
    }

    /** W + B A, both factors of the size that Adam gives them. */
    private static void adapter(float[] values, int rows, int columns, Kind kind, SplittableRandom random) {
        int rank = 8;
        double spread = kind.rate * StrictMath.sqrt(kind.steps) * 2.5;
        float[][] a = new float[rank][];
        float[][] b = new float[rank][];
        double[] columnScale = magnitudes(columns, random);
        for (int k = 0; k < rank; k++) {
            a[k] = vector(columns, columnScale, random);
            b[k] = vector(rows, magnitudes(rows, random), random);
        }
        float scale = (float) (spread / StrictMath.sqrt(rank) * 0.05);
        for (int r = 0; r < rows; r++) {
            for (int c = 0, i = r * columns; c < columns; c++, i++) {
                float sum = 0;
                for (int k = 0; k < rank; k++) {
                    sum += b[k][r] * a[k][c];
                }
                values[i] += scale * sum;
            }
        }
    }

    private static double[] magnitudes(int count, SplittableRandom random) {
        double[] out = new double[count];
        for (int i = 0; i < count; i++) {
            out[i] = StrictMath.exp(0.7 * gaussian(random));
        }
        return out;
    }

    private static float[][] vectors(int count, double[] scale, SplittableRandom random) {
        float[][] out = new float[RANK][];
        for (int k = 0; k < RANK; k++) {
            out[k] = vector(count, scale, random);
        }
        return out;
    }

    private static float[] vector(int count, double[] scale, SplittableRandom random) {
        float[] out = new float[count];
        for (int i = 0; i < count; i++) {
            out[i] = (float) (scale[i] * gaussian(random));
        }
        return out;
    }

    /** Sum of twelve uniform numbers: normal enough, and the same everywhere. */
    private static double gaussian(SplittableRandom random) {
        double sum = -6;
        for (int i = 0; i < 12; i++) {
            sum += random.nextDouble();
        }
        return sum;
    }
}
