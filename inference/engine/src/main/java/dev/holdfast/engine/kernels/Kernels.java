package dev.holdfast.engine.kernels;

/**
 * The arithmetic of a transformer. Two implementations: {@link VectorKernels} for speed, {@link ScalarKernels} as the
 * test oracle. Stateless and thread-safe; nothing here allocates.
 *
 * <p>Activations of a batch are stored feature by feature: element {@code [feature][token]} is at
 * {@code feature * stride + token}. Every loop then runs over tokens, needs no horizontal sum, and is the same for
 * norms, workers and activations. A single token has stride 1; a batch has stride {@link #BATCH}, and the columns
 * behind its last token hold numbers that nobody reads.
 */
public interface Kernels {
    /** Tokens that go through the layers together; a multiple of every vector length up to 512 bits. */
    int BATCH = 64;
    /** Rows that a product unpacks together; {@code scratch} holds {@link #scratchFloats}. */
    int ROWS = 6;
    /** Buffers along which a kernel runs in whole vectors are padded to a multiple of this. */
    int PADDING = 64;

    /** The least multiple of {@code multiple} that is not below {@code value}. */
    static int padded(int value, int multiple) {
        return (value + multiple - 1) / multiple * multiple;
    }

    /** Room for {@value #ROWS} rows, or for fewer and the sums of a tile. */
    static int scratchFloats(int columns) {
        return ROWS * Math.max(columns, BATCH);
    }

    /** Unpacks row {@code row} to {@code out[at ..]}. */
    void row(Weights weights, int row, float[] out, int at);

    /** {@code y[r] = W[r] . x} for rows {@code from} to {@code to}. */
    void product(Weights weights, int from, int to, float[] x, float[] y, float[] scratch);

    /**
     * {@code ys[i][r] = W[r] . xs[i]} for rows {@code from} to {@code to} and the first {@code count} vectors: each row is read
     * once for all.
     */
    void products(Weights weights, int from, int to, float[][] xs, float[][] ys, int count, float[] scratch);

    /** {@code Y[r][t] = W[r] . X[.][t]} for rows {@code from} to {@code to} and the first {@code tokens} columns. */
    void batchProduct(Weights weights, int from, int to, float[] x, float[] y, int tokens, float[] scratch);

    /** Root-mean-square norm of each token over {@code features} from {@code x[at]} on, times {@code gain}, to the same places of {@code out}. */
    void rmsNorm(float[] x, int at, float[] gain, float[] out, int features, int stride, float epsilon);

    /** Norm of each token over {@code features} by mean and variance, times {@code gain}, plus {@code bias}, in place. */
    void layerNorm(float[] x, float[] gain, float[] bias, int features, int stride, float epsilon);

    /** {@code gate[i] = activation(gate[i]) * up[i]}. */
    void gate(Activation activation, float[] gate, float[] up, int length);

    /** {@code x[i] = gelu(x[i])}. */
    void gelu(float[] x, int length);

    /** Adds {@code bias[feature]} to each token; an empty bias adds nothing. */
    default void addBias(float[] x, float[] bias, int stride) {
        for (int f = 0; f < bias.length; f++) {
            for (int t = 0; t < stride; t++) {
                x[f * stride + t] += bias[f];
            }
        }
    }

    /** {@code x[i] *= by}. */
    default void scale(float[] x, float by, int length) {
        for (int i = 0; i < length; i++) {
            x[i] *= by;
        }
    }

    /** {@code x[i] += more[i]}. */
    default void add(float[] x, float[] more, int length) {
        for (int i = 0; i < length; i++) {
            x[i] += more[i];
        }
    }

    /** {@code out[i]} is the binary16 number {@code in[i]}, exactly. A plain loop: the compiler knows it as one instruction. */
    default void halves(short[] in, int at, float[] out, int outAt, int length) {
        for (int i = 0; i < length; i++) {
            out[outAt + i] = Float.float16ToFloat(in[at + i]);
        }
    }

    /** {@code out[i] = in[i] * scale}; {@code length} is a multiple of 16. */
    void scaled(byte[] in, int at, float scale, float[] out, int outAt, int length);

    /** {@code out[r][c] = in[r][c] * scales[c]} for {@code rows} rows of {@code columns}, a multiple of 16. */
    void scaledColumns(byte[] in, int at, float[] scales, int scalesAt, float[] out, int outAt, int rows, int columns);

    /**
     * Queries of one head, for neighbouring tokens or for the heads that share their keys. Element {@code [query][dimension]} is
     * at {@code at + query * step + dimension * stride}.
     */
    record Queries(float[] values, int at, int count, int step, int stride, int headSize, float scale) {}

    /**
     * {@code out[outAt + i * stride + p] = scale * sum over d of q[i][d] * K[d][p]} for the first {@code positions}; writes up
     * to {@link #PADDING} numbers in each row, of which nobody reads the rest.
     *
     * @param keys keys of one head, dimension by dimension, {@code keyStride} apart; may be {@code out}, elsewhere in it
     */
    void scores(
            Queries queries,
            float[] keys,
            int keysAt,
            int keyStride,
            int positions,
            float[] out,
            int outAt,
            int stride);

    /** Softmax over {@code length} scores from {@code at} on; up to {@link #PADDING} numbers behind them may be overwritten. */
    void softmax(float[] scores, int at, int length);

    /**
     * {@code out[outAt + i * valueStride + d] += sum over p of weights[weightsAt + i * stride + p] * V[p][d]} for {@code count}
     * rows. {@code valueStride} is the padded head size. All three arrays may be one.
     */
    void mix(
            float[] weights,
            int weightsAt,
            int count,
            int stride,
            int positions,
            float[] values,
            int valuesAt,
            int valueStride,
            float[] out,
            int outAt);
}
