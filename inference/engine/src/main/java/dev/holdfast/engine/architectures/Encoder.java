package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.Attention;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Kernels;
import dev.holdfast.engine.kernels.KeyValueCache;
import dev.holdfast.engine.kernels.MatMul;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Weights;
import dev.holdfast.engine.kernels.Workers;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A transformer in which each token sees all others, and whose output is one vector for the whole text. Weights stay in the
 * mapped file. Immutable after {@link #prepare}; each call has its own buffers, so many may run at once.
 */
public final class Encoder implements Network {
    private static final int BATCH = Kernels.BATCH;

    record Norm(float[] gain, float[] bias) {}

    record Layer(
            Linear query,
            Linear key,
            Linear value,
            Linear output,
            Norm attentionNorm,
            Linear up,
            Linear down,
            Norm outputNorm) {}

    private final ModelShape shape;
    private final float epsilon;
    private final Pooling pooling;
    private final Weights embedding;
    private final Weights positions;
    private final @Nullable Weights kinds;
    private final Norm embeddingNorm;
    private final List<Layer> layers;
    private Workers workers = Workers.of(1);

    Encoder(
            ModelShape shape,
            float epsilon,
            Pooling pooling,
            Weights embedding,
            Weights positions,
            @Nullable Weights kinds,
            Norm embeddingNorm,
            List<Layer> layers) {
        this.shape = shape;
        this.epsilon = epsilon;
        this.pooling = pooling;
        this.embedding = embedding;
        this.positions = positions;
        this.kinds = kinds;
        this.embeddingNorm = embeddingNorm;
        this.layers = List.copyOf(layers);
    }

    @Override
    public ModelShape shape() {
        return shape;
    }

    static HeapNeeds needs(ModelShape shape, int tokens) {
        int widest = Math.max(shape.width(), shape.feedForward());
        long scratch = Math.max((long) Kernels.ROWS * widest, Attention.scratchFloats(shape, tokens + BATCH));
        long buffers = (2L * shape.width() + shape.feedForward()) * BATCH + scratch;
        return new HeapNeeds(passBytes(shape, tokens), Float.BYTES * buffers, 0);
    }

    @Override
    public long sequenceBytes(int tokens, CacheType cache) {
        return passBytes(shape, tokens);
    }

    private static long passBytes(ModelShape shape, int tokens) {
        // Activations, and keys and values of one layer, which are always floats: they live for one text.
        return 4L * (tokens + BATCH) * shape.width()
                + KeyValueCache.bytes(CacheType.F32, 1, shape.heads(), shape.headSize(), tokens + BATCH);
    }

    @Override
    public void prepare(Workers workers, int contextTokens) {
        this.workers = workers;
    }

    /**
     * The vector of a text, not normalized.
     *
     * @param tokens at least one, and no more than the model has positions for
     */
    public float[] embed(int[] tokens) {
        return embed(tokens, Transformer.ON);
    }

    /**
     * As {@link #embed(int[])}.
     *
     * @param pause called between layers; others may be computed while it lasts
     */
    public float[] embed(int[] tokens, Runnable pause) {
        if (tokens.length < 1 || tokens.length > shape.contextTokens()) {
            throw new IllegalArgumentException(tokens.length + " tokens");
        }
        Pass pass = new Pass(tokens);
        for (Layer layer : layers) {
            pass.attend(layer);
            pass.feedForward(layer);
            pause.run();
        }
        return pass.pooled();
    }

    /**
     * One text on its way: {@code x[batch]} holds {@value Kernels#BATCH} tokens as {@code [feature][token]}; keys and values
     * of one layer at a time are kept. Columns behind the last token hold numbers that nobody reads.
     */
    private final class Pass {
        private final Kernels kernels = workers.kernels();
        private final MatMul matMul = new MatMul();
        private final Attention attention = new Attention(shape);
        private final int count;
        private final float[][] x;
        private final float[] query = new float[shape.width() * BATCH];
        private final float[] other = new float[shape.width() * BATCH];
        private final float[] wide = new float[shape.feedForward() * BATCH];
        private final KeyValueCache cache;
        private final float[] scratch;

        Pass(int[] tokens) {
            count = tokens.length;
            cache = new KeyValueCache(CacheType.F32, 1, shape.heads(), shape.headSize(), count + BATCH);
            int widest = Math.max(shape.width(), shape.feedForward());
            scratch = new float[Math.max(Kernels.ROWS * widest, Attention.scratchFloats(shape, cache.capacity()))];
            x = new float[(count + BATCH - 1) / BATCH][shape.width() * BATCH];
            for (int p = 0; p < count; p++) {
                float[] batch = x[p / BATCH];
                addRow(embedding, tokens[p], batch, p % BATCH);
                addRow(positions, p, batch, p % BATCH);
                if (kinds != null) {
                    addRow(kinds, 0, batch, p % BATCH);
                }
            }
            for (float[] batch : x) {
                norm(batch, embeddingNorm);
            }
        }

        private void addRow(Weights table, int row, float[] batch, int token) {
            kernels.row(table, row, scratch, 0);
            for (int f = 0; f < shape.width(); f++) {
                batch[f * BATCH + token] += scratch[f];
            }
        }

        private void norm(float[] batch, Norm norm) {
            kernels.layerNorm(batch, norm.gain, norm.bias, shape.width(), BATCH, epsilon);
        }

        private void multiply(Linear linear, float[] in, float[] out) {
            matMul.of(in, BATCH, BATCH).to(linear.weights(), out).run(workers, scratch);
            linear.complete(kernels, out, BATCH);
        }

        void attend(Layer layer) {
            for (int b = 0; b < x.length; b++) {
                multiply(layer.key, x[b], query);
                multiply(layer.value, x[b], other);
                cache.write(0, b * BATCH, BATCH, query, other, BATCH);
            }
            for (float[] batch : x) {
                multiply(layer.query, batch, query);
                attention.run(
                        workers, cache, 0, new Attention.Bidirectional(count), query, query, 0, BATCH, BATCH, scratch);
                multiply(layer.output, query, other);
                kernels.add(batch, other, batch.length);
                norm(batch, layer.attentionNorm);
            }
        }

        void feedForward(Layer layer) {
            for (float[] batch : x) {
                multiply(layer.up, batch, wide);
                kernels.gelu(wide, wide.length);
                multiply(layer.down, wide, other);
                kernels.add(batch, other, batch.length);
                norm(batch, layer.outputNorm);
            }
        }

        float[] pooled() {
            float[] out = new float[shape.width()];
            for (int f = 0; f < out.length; f++) {
                out[f] = switch (pooling) {
                    case FIRST -> x[0][f * BATCH];
                    case LAST -> x[x.length - 1][f * BATCH + (count - 1) % BATCH];
                    case MEAN -> mean(f);
                };
            }
            return out;
        }

        private float mean(int feature) {
            double sum = 0;
            for (int p = 0; p < count; p++) {
                sum += x[p / BATCH][feature * BATCH + p % BATCH];
            }
            return (float) (sum / count);
        }
    }
}
