package dev.holdfast.inference;

import java.util.Arrays;

/**
 * One sequence in work: its keys and values, and every buffer that a pass through the layers needs, so that no token
 * allocates. Belongs to one thread at a time, and to one model. It is cleared between users.
 *
 * <pre>
 * keys[layer]    [key head][dimension][position]   position runs fastest, {@link #keyStride} apart
 * values[layer]  [key head][position][dimension]   dimension runs fastest, {@link #valueStride} apart
 * activations    [feature][token]                  see {@link Kernels}
 * </pre>
 */
final class Sequence {
    /** Values of one position are whole vectors up to 512 bits. */
    static final int VALUE_PADDING = 16;
    /** Added to the key stride, so that dimensions do not fall on the same cache set when the context is a power of two. */
    private static final int SKEW = 16;

    final ModelShape shape;
    final int capacity;
    final int keyStride;
    final int valueStride;
    final float[][] keys;
    final float[][] values;

    final float[] x;
    final float[] normed;
    final float[] query;
    final float[] key;
    final float[] value;
    final float[] mixed;
    final float[] gate;
    final float[] up;
    final float[] last;
    final float[] logits;
    final float[] scratch;
    final Heads.Cache[] caches;
    final Heads heads;
    final Products products = new Products();

    private int position;

    Sequence(ModelShape shape, int capacity) {
        this.shape = shape;
        this.capacity = capacity;
        this.keyStride = keyStride(capacity);
        this.valueStride = padded(shape.headSize(), VALUE_PADDING);
        int keyFloats = Math.multiplyExact(shape.keyWidth(), keyStride);
        int valueFloats = Math.multiplyExact(shape.keyHeads() * valueStride, capacity);
        this.keys = new float[shape.layers()][keyFloats];
        this.values = new float[shape.layers()][valueFloats];
        int batch = Kernels.BATCH;
        this.x = new float[shape.width() * batch];
        this.normed = new float[shape.width() * batch];
        this.query = new float[shape.queryWidth() * batch];
        this.key = new float[shape.keyWidth() * batch];
        this.value = new float[shape.keyWidth() * batch];
        this.mixed = new float[Math.max(shape.queryWidth(), shape.width()) * batch];
        this.gate = new float[shape.feedForward() * batch];
        this.up = new float[shape.feedForward() * batch];
        this.last = new float[shape.width()];
        this.logits = new float[shape.vocabulary()];
        int widest = Math.max(Math.max(shape.width(), shape.queryWidth()), shape.feedForward());
        this.scratch = new float[Math.max(Kernels.ROWS * widest, Heads.scratchFloats(shape, keyStride, valueStride))];
        this.caches = new Heads.Cache[shape.layers()];
        for (int i = 0; i < caches.length; i++) {
            caches[i] = new Heads.Cache(keys[i], values[i], keyStride, valueStride, capacity);
        }
        this.heads = new Heads(shape);
    }

    static int keyStride(int tokens) {
        return padded(tokens, Kernels.PADDING) + SKEW;
    }

    static int padded(int value, int multiple) {
        return (value + multiple - 1) / multiple * multiple;
    }

    /** Tokens read so far. */
    int position() {
        return position;
    }

    void advance(int tokens) {
        position += tokens;
    }

    /** Room for further tokens. */
    int room() {
        return capacity - position;
    }

    /** Forgets everything that was read, also from memory: the next user is another one. */
    void clear() {
        position = 0;
        for (float[] layer : keys) {
            Arrays.fill(layer, 0);
        }
        for (float[] layer : values) {
            Arrays.fill(layer, 0);
        }
    }

    /** Goes back to the beginning within one use, as a benchmark does; the old numbers are overwritten as tokens come. */
    void rewind() {
        position = 0;
    }
}
