package dev.holdfast.engine.architectures;

import static java.util.Objects.requireNonNull;

import dev.holdfast.engine.architectures.Transformer.AttentionWeights;
import dev.holdfast.engine.kernels.KernelPool;
import org.jspecify.annotations.Nullable;

/**
 * What the sequences of a group attend to in one layer, shared among a team by sequences. Belongs to the first of them; a call
 * allocates nothing.
 */
final class GroupAttention implements KernelPool.Job {
    private @Nullable Transformer decoder;
    private @Nullable AttentionWeights weights;
    private Sequence[] sequences = {};
    private int layer;

    /** One token of each of the first {@code count}, whose query, key and value are there. */
    void run(
            Transformer decoder,
            KernelPool pool,
            Sequence[] sequences,
            int count,
            int layer,
            AttentionWeights weights) {
        this.decoder = decoder;
        this.weights = weights;
        this.sequences = sequences;
        this.layer = layer;
        // Places ahead of one sequence see each other's keys: these are written first, one after the other.
        for (int i = 0; i < count && ahead(); i++) {
            decoder.remember(sequences[i], layer, weights, 1, 1);
        }
        pool.run(this, count, sequences[0].scratch);
    }

    private boolean ahead() {
        return sequences[0].origin != sequences[0];
    }

    /** None: each sequence has its own. */
    @Override
    public int scratchFloats() {
        return 0;
    }

    @Override
    public void chunk(int index, float[] scratch) {
        Transformer model = requireNonNull(decoder);
        AttentionWeights of = requireNonNull(weights);
        if (!ahead()) {
            model.remember(sequences[index], layer, of, 1, 1);
        }
        model.attendAlone(sequences[index], layer, of);
    }
}
