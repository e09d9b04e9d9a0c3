package dev.holdfast.engine.kernels;

import java.util.Arrays;

/**
 * Attention of a batch of tokens over keys and values, shared among a team by heads and groups of tokens. Belongs to one
 * sequence.
 *
 * <p>Queries that see the same keys go together: those of the heads that share a key head, and of {@value #GROUP} neighbouring
 * tokens. A page of keys or values is then unpacked once for all of them, and stays in the first-level cache.
 */
public final class Attention implements KernelPool.Job {
    /** Tokens of a head that go together. */
    private static final int GROUP = 4;
    /** Positions whose keys and values are unpacked together. */
    private static final int PAGE = KeyValueCache.PAGE;
    /** Added to rows of scores, so that they do not fall on the same cache set when the context is a power of two. */
    private static final int SKEW = 16;
    /** Below this many multiplications, handing over costs more than it saves. */
    private static final long WORTH_SHARING = 200_000;

    /** Which positions a token at {@code position} sees: {@code [first, end)}. */
    public interface AttentionMask {
        int first(int position);

        int end(int position);
    }

    private final ModelShape shape;
    private final float scale;
    private Kernels kernels = new ScalarKernels();
    private KeyValueCache cache = new KeyValueCache(CacheType.F32, 0, 0, 0, 0);
    private int layer;
    private float[] queries = {};
    private float[] out = {};
    private int position;
    private int tokens;
    private int stride;
    private AttentionMask sight = new Window(Integer.MAX_VALUE);

    public Attention(ModelShape shape) {
        this.shape = shape;
        this.scale = (float) (1 / Math.sqrt(shape.headSize()));
    }

    /** A token sees itself and those before it, {@code tokens} in all. */
    public record Window(int tokens) implements AttentionMask {
        @Override
        public int first(int position) {
            return Math.max(0, position + 1 - tokens);
        }

        @Override
        public int end(int position) {
            return position + 1;
        }
    }

    /** Each token sees all {@code tokens}. */
    public record Bidirectional(int tokens) implements AttentionMask {
        @Override
        public int first(int position) {
            return 0;
        }

        @Override
        public int end(int position) {
            return tokens;
        }
    }

    /**
     * Computes the heads of {@code tokens} tokens from {@code position} on.
     *
     * @param queries {@code [feature][token]}
     * @param out as {@code queries}, and may be the same
     */
    public void run(
            Workers workers,
            KeyValueCache cache,
            int layer,
            AttentionMask sight,
            float[] queries,
            float[] out,
            int position,
            int tokens,
            int stride,
            float[] scratch) {
        this.kernels = workers.kernels();
        this.cache = cache;
        this.layer = layer;
        this.sight = sight;
        this.queries = queries;
        this.out = out;
        this.position = position;
        this.tokens = tokens;
        this.stride = stride;
        int chunks = shape.keyHeads() * groups();
        long work = 2L * shape.queryWidth() * tokens * sight.end(position + tokens - 1);
        if (work >= WORTH_SHARING) {
            workers.pool().run(this, chunks, scratch);
        } else {
            for (int i = 0; i < chunks; i++) {
                chunk(i, scratch);
            }
        }
    }

    private int groups() {
        return (tokens + GROUP - 1) / GROUP;
    }

    private int shared() {
        return shape.heads() / shape.keyHeads();
    }

    /** What {@link #chunk} needs for sequences of {@code positions}: scores and sums of each query, and a page of a head. */
    public static int scratchFloats(ModelShape shape, int positions) {
        int queries = shape.heads() / shape.keyHeads() * GROUP;
        int valueStride = KeyValueCache.valueStride(shape.headSize());
        return queries * (rowStride(positions) + valueStride) + PAGE * valueStride;
    }

    private static int rowStride(int positions) {
        return Kernels.padded(positions, PAGE) + SKEW;
    }

    @Override
    public int scratchFloats() {
        return scratchFloats(shape, cache.capacity());
    }

    @Override
    public void chunk(int index, float[] scratch) {
        int keyHead = index / groups();
        int first = index % groups() * GROUP;
        int count = Math.min(GROUP, tokens - first);
        int begin = sight.first(position + first) / PAGE * PAGE;
        int positions = sight.end(position + first + count - 1) - begin;
        int row = rowStride(positions);
        int rows = count * shared();
        int valueStride = KeyValueCache.valueStride(shape.headSize());
        int mixedAt = rows * row;
        int pageAt = mixedAt + rows * valueStride;
        Kernels.Queries[] groups = groups(keyHead, first, count);
        for (int p = 0; p < positions; p += PAGE) {
            cache.page(layer, begin + p).keys(kernels, keyHead, scratch, pageAt);
            int seen = Math.min(PAGE, positions - p);
            int at = p;
            for (Kernels.Queries group : groups) {
                kernels.scores(group, scratch, pageAt, PAGE, seen, scratch, at, row);
                at += group.count() * row;
            }
        }
        for (int i = 0; i < rows; i++) {
            weigh(scratch, i * row, position + first + i % count, begin, positions);
        }
        Arrays.fill(scratch, mixedAt, pageAt, 0);
        for (int p = 0; p < positions; p += PAGE) {
            cache.page(layer, begin + p).values(kernels, keyHead, scratch, pageAt);
            int seen = Math.min(PAGE, positions - p);
            kernels.mix(scratch, p, rows, row, seen, scratch, pageAt, valueStride, scratch, mixedAt);
        }
        int from = mixedAt;
        for (Kernels.Queries group : groups) {
            for (int i = 0; i < group.count(); i++, from += valueStride) {
                store(scratch, from, group.at() + i * group.step());
            }
        }
    }

    /** The queries that see the keys of a key head: of each head the neighbouring tokens, or of one token the heads. */
    private Kernels.Queries[] groups(int keyHead, int first, int count) {
        int headSize = shape.headSize();
        int at = keyHead * shared() * headSize * stride + first;
        if (stride == 1) {
            return new Kernels.Queries[] {new Kernels.Queries(queries, at, shared(), headSize, 1, headSize, scale)};
        }
        Kernels.Queries[] groups = new Kernels.Queries[shared()];
        for (int i = 0; i < groups.length; i++) {
            groups[i] = new Kernels.Queries(queries, at + i * headSize * stride, count, 1, stride, headSize, scale);
        }
        return groups;
    }

    /** Makes weights of the scores of a query at position {@code own}; what it does not see weighs nothing. */
    private void weigh(float[] scores, int at, int own, int begin, int positions) {
        int length = sight.end(own) - begin;
        Arrays.fill(scores, at, at + sight.first(own) - begin, Float.NEGATIVE_INFINITY);
        kernels.softmax(scores, at, length);
        Arrays.fill(scores, at + length, at + positions, 0);
    }

    private void store(float[] mixed, int from, int to) {
        for (int d = 0; d < shape.headSize(); d++) {
            out[to + d * stride] = mixed[from + d];
        }
    }
}
