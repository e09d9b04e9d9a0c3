package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.Attention;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Kernels;
import dev.holdfast.engine.kernels.KeyValueCache;
import dev.holdfast.engine.kernels.MatMul;
import dev.holdfast.engine.kernels.ModelShape;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One sequence in work: its keys and values, and every buffer that a pass through the layers needs, so that no token
 * allocates. Belongs to one thread at a time, and to one model. It is cleared between users.
 *
 * <pre>
 * activations    [feature][token]    see {@link Kernels}
 * </pre>
 */
public final class Sequence {
    final ModelShape shape;
    public final int capacity;
    final KeyValueCache cache;

    final float[] x;
    final float[] normed;
    final float[] query;
    final float[] key;
    final float[] value;
    final float[] mixed;
    final float[] gate;
    final float[] up;
    final float[] last;
    public final float[] logits;
    final float[] scratch;
    final Attention attention;
    final MatMul matMul = new MatMul();
    final GroupAttention group = new GroupAttention();
    /** This sequence as a group of one. */
    final Sequence[] alone = {this};

    /** The sequence that is read, which is this one unless this is a place ahead of it. */
    final Sequence origin;

    private final int ahead;
    private final int[] tokens;
    private int position;

    /** An empty sequence of at most {@code capacity} tokens. */
    public Sequence(ModelShape shape, int capacity, CacheType type) {
        this(
                shape,
                capacity,
                new KeyValueCache(type, shape.layers(), shape.keyHeads(), shape.headSize(), capacity),
                Kernels.BATCH,
                null,
                0);
    }

    private Sequence(
            ModelShape shape, int capacity, KeyValueCache cache, int batch, @Nullable Sequence origin, int ahead) {
        this.shape = shape;
        this.capacity = capacity;
        this.cache = cache;
        this.origin = origin == null ? this : origin;
        this.ahead = ahead;
        this.tokens = new int[origin == null ? capacity : 0];
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
        this.scratch = new float[Math.max(Kernels.ROWS * widest, Attention.scratchFloats(shape, capacity))];
        this.attention = new Attention(shape);
    }

    /**
     * Places for the next {@code count} tokens of this sequence, each with logits of its own, so that {@link Transformer#step} reads all
     * of them in one pass: a group in this order, which is this sequence's alone.
     */
    public Sequence[] places(int count) {
        Sequence[] places = new Sequence[count];
        Arrays.setAll(places, i -> new Sequence(shape, capacity, cache, 1, this, i));
        return places;
    }

    /** Bytes of everything that {@link #Sequence} makes beside the cache. */
    static long bufferBytes(ModelShape shape, int capacity) {
        long features = 2L * shape.width()
                + shape.queryWidth()
                + 2L * shape.keyWidth()
                + Math.max(shape.queryWidth(), shape.width())
                + 2L * shape.feedForward();
        int widest = Math.max(Math.max(shape.width(), shape.queryWidth()), shape.feedForward());
        long scratch = Math.max((long) Kernels.ROWS * widest, Attention.scratchFloats(shape, capacity));
        return Float.BYTES * (features * Kernels.BATCH + shape.width() + shape.vocabulary() + scratch)
                + (long) Integer.BYTES * capacity;
    }

    /** Tokens read so far; of a place ahead, where its token will be. */
    public int position() {
        return origin.position + ahead;
    }

    /** Says that {@code count} more tokens were read: their keys and values are in the cache. */
    void advance(int[] read, int from, int count) {
        System.arraycopy(read, from, origin.tokens, origin.position, count);
        origin.position += count;
    }

    /** The tokens that were read, in an array that may be longer. */
    public int[] tokens() {
        return tokens;
    }

    /** How many tokens at the beginning are the same as those of {@code other}. */
    public int commonPrefix(Sequence other) {
        int most = Math.min(position, other.position);
        int mismatch = Arrays.mismatch(tokens, 0, most, other.tokens, 0, most);
        return mismatch < 0 ? most : mismatch;
    }

    /** How many tokens at the beginning of {@code prompt} were read already, in the same places. */
    int commonPrefix(int[] prompt) {
        int mismatch = Arrays.mismatch(tokens, 0, position, prompt, 0, prompt.length);
        return mismatch < 0 ? position : mismatch;
    }

    /** Room for further tokens. */
    public int room() {
        return capacity - position;
    }

    /** Forgets everything that was read, also from memory: the next user is another one. */
    void clear() {
        position = 0;
        Arrays.fill(tokens, 0);
        cache.erase();
    }

    /** Goes back to the beginning within one use, as a benchmark does; the old numbers are overwritten as tokens come. */
    public void rewind() {
        keep(0);
    }

    /** Forgets all but the first tokens, for the same owner: the old numbers are overwritten as tokens come. */
    public void keep(int tokensKept) {
        position = Math.min(position, tokensKept);
    }
}
