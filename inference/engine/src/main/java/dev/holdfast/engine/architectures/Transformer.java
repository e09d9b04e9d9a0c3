package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.Activation;
import dev.holdfast.engine.kernels.Attention;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.KernelPool;
import dev.holdfast.engine.kernels.Kernels;
import dev.holdfast.engine.kernels.KeyValueCache;
import dev.holdfast.engine.kernels.MatMul;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Rotary;
import dev.holdfast.engine.kernels.Weights;
import dev.holdfast.engine.kernels.Workers;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A decoder-only transformer with root-mean-square norms, rotary positions, grouped-query attention and a gated
 * feed-forward layer. Weights stay in the mapped file; activations, keys and values are floats. Immutable after
 * {@link #prepare}; many sequences may go through it at once.
 */
public final class Transformer implements Network {
    record Layer(AttentionWeights attention, FeedForward feedForward) {}

    /** What attends in one layer; a norm that the architecture does not have is empty. */
    record AttentionWeights(
            float[] norm,
            Linear query,
            Linear key,
            Linear value,
            float[] queryNorm,
            float[] keyNorm,
            Rotary rotary,
            Attention.Window window,
            Linear output,
            float[] postNorm) {}

    record FeedForward(float[] norm, Linear gate, Linear up, Activation activation, Linear down, float[] postNorm) {}

    /** Gets the logits after each token that was read. */
    @FunctionalInterface
    public interface LogitsSink {
        /** {@code logits} is reused for the next token. */
        void accept(int position, float[] logits);
    }

    /** Batches end at multiples of this many tokens, so that what is reused was computed as it would be anew. */
    static final int ALIGNED = Kernels.BATCH / 2;
    /** Goes on at once. */
    public static final Runnable ON = () -> {};
    /** Up to so many tokens are read faster one by one than as a batch, whose products take as long as those of 32. */
    private static final int FEW = 4;

    private final ModelShape shape;
    private final float epsilon;
    private final Weights embedding;
    private final float embeddingScale;
    private final List<Layer> layers;
    private final float[] outputNorm;
    private final Linear output;
    private Workers workers = Workers.of(1);
    /** One thread, for what is part of a job already. */
    private Workers single = workers;

    private Kernels kernels = workers.kernels();

    Transformer(
            ModelShape shape,
            float epsilon,
            Weights embedding,
            float embeddingScale,
            List<Layer> layers,
            float[] outputNorm,
            Linear output) {
        this.shape = shape;
        this.epsilon = epsilon;
        this.embedding = embedding;
        this.embeddingScale = embeddingScale;
        this.layers = List.copyOf(layers);
        this.outputNorm = outputNorm;
        this.output = output;
    }

    @Override
    public ModelShape shape() {
        return shape;
    }

    static HeapNeeds needs(ModelShape shape, int tokens, CacheType cache, int rotaries) {
        return new HeapNeeds(
                cacheBytes(shape, tokens, cache),
                Sequence.bufferBytes(shape, tokens),
                rotaries * Rotary.tableBytes(shape.headSize(), tokens));
    }

    @Override
    public long sequenceBytes(int tokens, CacheType cache) {
        return cacheBytes(shape, tokens, cache);
    }

    private static long cacheBytes(ModelShape shape, int tokens, CacheType cache) {
        return KeyValueCache.bytes(cache, shape.layers(), shape.keyHeads(), shape.headSize(), tokens);
    }

    @Override
    public void prepare(Workers workers, int contextTokens) {
        this.workers = workers;
        this.single = new Workers(workers.kernels(), new KernelPool(1));
        this.kernels = workers.kernels();
        layers.stream()
                .map(layer -> layer.attention.rotary)
                .distinct()
                .forEach(rotary -> rotary.prepare(contextTokens));
    }

    /**
     * Reads {@code count} tokens; afterwards {@code sequence.logits} holds those of the last one.
     *
     * @param each where the logits of every token go, or null when only the last ones are wanted
     */
    public void read(Sequence sequence, int[] tokens, int from, int count, @Nullable LogitsSink each) {
        read(sequence, tokens, from, count, each, ON);
    }

    /**
     * As {@link #read(Sequence, int[], int, int, LogitsSink)}.
     *
     * @param pause called between layers; other sequences may be read while it lasts
     */
    public void read(Sequence sequence, int[] tokens, int from, int count, @Nullable LogitsSink each, Runnable pause) {
        if (count < 1 || count > sequence.room()) {
            throw new IllegalArgumentException(count + " tokens, room for " + sequence.room());
        }
        int done = 0;
        while (done < count) {
            int n = next(count - done);
            int stride = n == 1 ? 1 : Kernels.BATCH;
            embed(sequence, tokens, from + done, n, stride);
            throughLayers(sequence.alone, 1, n, stride, pause);
            done += n;
            int position = sequence.position();
            sequence.advance(tokens, from + done - n, n);
            if (each != null) {
                for (int t = 0; t < n; t++) {
                    project(sequence, t, stride);
                    each.accept(position + t, sequence.logits);
                }
            } else if (done == count) {
                project(sequence, n - 1, stride);
            }
        }
    }

    private static int next(int left) {
        if (left >= Kernels.BATCH) {
            return Kernels.BATCH;
        }
        return left <= FEW ? 1 : Math.min(left, ALIGNED);
    }

    /**
     * Reads one token of each sequence, in one pass over the weights; afterwards each has its logits. They differ from those of
     * {@link #read} by the rounding of 32-bit sums.
     *
     * @param sequences different ones, each with room, or {@link Sequence#places} of one that has room for all; the first
     *     {@code count} count, at most {@link MatMul#MAX_TOGETHER}
     * @param tokens one for each
     */
    public void step(Sequence[] sequences, int[] tokens, int count) {
        for (int i = 0; i < count; i++) {
            embed(sequences[i], tokens, i, 1, 1);
        }
        throughLayers(sequences, count, 1, 1, ON);
        for (int i = 0; i < count; i++) {
            beforeOutput(sequences[i], 0, 1);
        }
        multiply(sequences, count);
        for (int i = 0; i < count; i++) {
            output.complete(kernels, sequences[i].logits, 1);
            sequences[i].advance(tokens, i, 1);
        }
    }

    private void throughLayers(Sequence[] sequences, int count, int n, int stride, Runnable pause) {
        for (int i = 0; i < layers.size(); i++) {
            if (i > 0) {
                pause.run();
            }
            attend(sequences, count, i, n, stride);
            feedForward(sequences, count, layers.get(i).feedForward, n, stride);
        }
    }

    /** Multiplies what each sequence has set up: of several the same matrices, with one token each. */
    private void multiply(Sequence[] sequences, int count) {
        Sequence first = sequences[0];
        if (count == 1) {
            first.matMul.run(workers, first.scratch);
        } else {
            for (int i = 0; i < count; i++) {
                first.matMul.beside(i, sequences[i].matMul);
            }
            first.matMul.together(count, workers, first.scratch);
        }
    }

    private void embed(Sequence s, int[] tokens, int from, int n, int stride) {
        for (int t = 0; t < n; t++) {
            kernels.row(embedding, tokens[from + t], s.scratch, 0);
            for (int i = 0; i < shape.width(); i++) {
                s.x[i * stride + t] = s.scratch[i] * embeddingScale;
            }
        }
    }

    private void attend(Sequence[] sequences, int count, int index, int n, int stride) {
        AttentionWeights layer = layers.get(index).attention;
        for (int i = 0; i < count; i++) {
            Sequence s = sequences[i];
            kernels.rmsNorm(s.x, 0, layer.norm, s.normed, shape.width(), stride, epsilon);
            s.matMul
                    .of(s.normed, n, stride)
                    .to(layer.query.weights(), s.query)
                    .to(layer.key.weights(), s.key)
                    .to(layer.value.weights(), s.value);
        }
        multiply(sequences, count);
        if (count == 1) {
            remember(sequences[0], index, layer, n, stride);
            see(sequences[0], index, layer, n, stride, workers);
        } else {
            sequences[0].group.run(this, workers.pool(), sequences, count, index, layer);
        }
        for (int i = 0; i < count; i++) {
            Sequence s = sequences[i];
            s.matMul.of(s.mixed, n, stride).to(layer.output.weights(), s.normed);
        }
        multiply(sequences, count);
        for (int i = 0; i < count; i++) {
            addNormed(sequences[i], layer.output, layer.postNorm, stride);
        }
    }

    /** Completes query, key and value, and writes the latter two to the cache. */
    void remember(Sequence s, int index, AttentionWeights layer, int n, int stride) {
        layer.query.complete(kernels, s.query, stride);
        layer.key.complete(kernels, s.key, stride);
        layer.value.complete(kernels, s.value, stride);
        normHeads(s.query, layer.queryNorm, shape.heads(), stride);
        normHeads(s.key, layer.keyNorm, shape.keyHeads(), stride);
        layer.rotary.turn(s.query, shape.heads(), shape.headSize(), s.position(), stride);
        layer.rotary.turn(s.key, shape.keyHeads(), shape.headSize(), s.position(), stride);
        s.cache.write(index, s.position(), n, s.key, s.value, stride);
    }

    /** What the heads of a sequence see for one token, while others of its group are computed on other threads. */
    void attendAlone(Sequence s, int index, AttentionWeights layer) {
        see(s, index, layer, 1, 1, single);
    }

    private void see(Sequence s, int index, AttentionWeights layer, int n, int stride, Workers team) {
        s.attention.run(team, s.cache, index, layer.window, s.query, s.mixed, s.position(), n, stride, s.scratch);
    }

    private void normHeads(float[] x, float[] norm, int heads, int stride) {
        for (int head = 0; norm.length > 0 && head < heads; head++) {
            kernels.rmsNorm(x, head * norm.length * stride, norm, x, norm.length, stride, epsilon);
        }
    }

    /** Adds what attention or feed-forward gave, whose last product is in {@code s.normed}. */
    private void addNormed(Sequence s, Linear last, float[] postNorm, int stride) {
        last.complete(kernels, s.normed, stride);
        if (postNorm.length > 0) {
            kernels.rmsNorm(s.normed, 0, postNorm, s.normed, shape.width(), stride, epsilon);
        }
        kernels.add(s.x, s.normed, shape.width() * stride);
    }

    private void feedForward(Sequence[] sequences, int count, FeedForward layer, int n, int stride) {
        for (int i = 0; i < count; i++) {
            Sequence s = sequences[i];
            kernels.rmsNorm(s.x, 0, layer.norm, s.normed, shape.width(), stride, epsilon);
            s.matMul.of(s.normed, n, stride).to(layer.gate.weights(), s.gate).to(layer.up.weights(), s.up);
        }
        multiply(sequences, count);
        for (int i = 0; i < count; i++) {
            Sequence s = sequences[i];
            layer.gate.complete(kernels, s.gate, stride);
            layer.up.complete(kernels, s.up, stride);
            kernels.gate(layer.activation, s.gate, s.up, shape.feedForward() * stride);
            s.matMul.of(s.gate, n, stride).to(layer.down.weights(), s.normed);
        }
        multiply(sequences, count);
        for (int i = 0; i < count; i++) {
            addNormed(sequences[i], layer.down, layer.postNorm, stride);
        }
    }

    private void project(Sequence s, int token, int stride) {
        beforeOutput(s, token, stride);
        multiply(s.alone, 1);
        output.complete(kernels, s.logits, 1);
    }

    private void beforeOutput(Sequence s, int token, int stride) {
        for (int i = 0; i < shape.width(); i++) {
            s.last[i] = s.x[i * stride + token];
        }
        kernels.rmsNorm(s.last, 0, outputNorm, s.last, shape.width(), 1, epsilon);
        s.matMul.of(s.last, 1, 1).to(output.weights(), s.logits);
    }
}
