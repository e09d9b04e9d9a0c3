package dev.holdfast.inference;

import java.util.Arrays;

/**
 * Attention of a batch of tokens over keys and values, shared among a team by heads and groups of tokens. Belongs to one
 * sequence.
 *
 * <p>Queries that see the same keys go together: {@value #GROUP} neighbouring tokens of a head, or, when there is one token, the
 * heads that share a key head. The keys are then read once for all of them.
 */
final class Heads implements ThreadTeam.Job {
    /** Tokens of a head that go together. */
    private static final int GROUP = 4;
    /** Below this many multiplications, handing over costs more than it saves. */
    private static final long WORTH_SHARING = 200_000;

    /** Where the keys and values of a layer lie, as {@link Sequence} has them, for {@code room} positions. */
    record Cache(float[] keys, float[] values, int keyStride, int valueStride, int room) {}

    /** Which positions a token at {@code position} sees: {@code [first, end)}. */
    interface Sight {
        int first(int position);

        int end(int position);
    }

    private final ModelShape shape;
    private final float scale;
    private Kernels kernels = new ScalarKernels();
    private Cache cache = new Cache(new float[0], new float[0], 0, 0, 0);
    private float[] queries = {};
    private float[] out = {};
    private int position;
    private int tokens;
    private int stride;
    private Sight sight = new Window(Integer.MAX_VALUE);

    Heads(ModelShape shape) {
        this.shape = shape;
        this.scale = (float) (1 / Math.sqrt(shape.headSize()));
    }

    /** A token sees itself and those before it, {@code tokens} in all. */
    record Window(int tokens) implements Sight {
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
    record All(int tokens) implements Sight {
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
    void run(
            Workers workers,
            Cache cache,
            Sight sight,
            float[] queries,
            float[] out,
            int position,
            int tokens,
            int stride,
            float[] scratch) {
        this.kernels = workers.kernels();
        this.cache = cache;
        this.sight = sight;
        this.queries = queries;
        this.out = out;
        this.position = position;
        this.tokens = tokens;
        this.stride = stride;
        int chunks = stride == 1 ? shape.keyHeads() : shape.heads() * groups();
        long work = 2L * shape.queryWidth() * tokens * sight.end(position + tokens - 1);
        if (work >= WORTH_SHARING) {
            workers.team().run(this, chunks, scratch);
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

    /** What {@link #chunk} needs for sequences of {@code positions}. */
    static int scratchFloats(ModelShape shape, int keyStride, int valueStride) {
        return Math.max(GROUP, shape.heads() / shape.keyHeads()) * (keyStride + valueStride);
    }

    @Override
    public int scratchFloats() {
        return scratchFloats(shape, cache.keyStride, cache.valueStride);
    }

    @Override
    public void chunk(int index, float[] scratch) {
        int headSize = shape.headSize();
        if (stride == 1) {
            int at = index * shared() * headSize;
            attend(index, new Kernels.Queries(queries, at, shared(), headSize, 1, headSize, scale), 0, 0, scratch);
        } else {
            int head = index / groups();
            int first = index % groups() * GROUP;
            int count = Math.min(GROUP, tokens - first);
            int at = head * headSize * stride + first;
            attend(
                    head / shared(),
                    new Kernels.Queries(queries, at, count, 1, stride, headSize, scale),
                    first,
                    1,
                    scratch);
        }
    }

    /** {@code next} is how far apart the tokens of two neighbouring queries are: one, or none where they are heads of one token. */
    private void attend(int keyHead, Kernels.Queries group, int token, int next, float[] scratch) {
        int begin = sight.first(position + token);
        // Kernels run along keys in whole vectors: begin where one begins, and take what lies before the window out
        // again.
        begin -= begin % Kernels.PADDING;
        int positions = sight.end(position + token + next * (group.count() - 1)) - begin;
        int row = cache.keyStride;
        int mixedAt = group.count() * row;
        int keysAt = keyHead * shape.headSize() * cache.keyStride + begin;
        kernels.scores(group, cache.keys, keysAt, cache.keyStride, positions, scratch, row);
        for (int i = 0; i < group.count(); i++) {
            int own = position + token + next * i;
            int length = sight.end(own) - begin;
            Arrays.fill(scratch, i * row, i * row + sight.first(own) - begin, Float.NEGATIVE_INFINITY);
            kernels.softmax(scratch, i * row, length);
            Arrays.fill(scratch, i * row + length, i * row + positions, 0);
        }
        mix(keyHead, group, begin, positions, mixedAt, scratch);
    }

    private void mix(int keyHead, Kernels.Queries group, int begin, int positions, int mixedAt, float[] scratch) {
        int valuesAt = (keyHead * cache.room + begin) * cache.valueStride;
        kernels.mix(
                scratch,
                group.count(),
                cache.keyStride,
                positions,
                cache.values,
                valuesAt,
                cache.valueStride,
                scratch,
                mixedAt);
        for (int i = 0; i < group.count(); i++) {
            int from = mixedAt + i * cache.valueStride;
            int to = group.at() + i * group.step();
            for (int d = 0; d < group.headSize(); d++) {
                out[to + d * group.stride()] = scratch[from + d];
            }
        }
    }
}
