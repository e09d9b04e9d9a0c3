package dev.holdfast.engine;

import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.Kernels;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * How far a model's predictions are from another's over one text: what quantization or a changed kernel costs. Divergences
 * are in nats, of {@code model} from {@code base}, over the positions that perplexity scores.
 *
 * @param perplexity of the model
 * @param basePerplexity of the base
 * @param meanDivergence the mean Kullback-Leibler divergence
 * @param p99Divergence 99 of 100 positions have at most this
 * @param maxDivergence the worst position
 * @param sameTop the share of positions at which both expect the same token most, 0 to 1
 * @param tokens how many positions were scored
 */
public record ModelComparison(
        double perplexity,
        double basePerplexity,
        double meanDivergence,
        double p99Divergence,
        double maxDivergence,
        double sameTop,
        int tokens,
        int windows) {

    /**
     * Reads the same windows with both models side by side, so that the logits of one batch are all that is kept.
     *
     * @param tokens a text in the vocabulary of both
     * @param context the length of a window, as in {@link Perplexity#of}
     */
    public static Verdict<ModelComparison> of(ModelRunner base, ModelRunner model, int[] tokens, int context) {
        if (base.shape().vocabulary() != model.shape().vocabulary()) {
            return Verdict.rejected(
                    Code.API_REQUEST,
                    "vocabularies of " + base.shape().vocabulary() + " and "
                            + model.shape().vocabulary() + " tokens cannot be compared");
        }
        return Perplexity.windows(base, tokens, context)
                .then(windows -> Perplexity.windows(model, tokens, context)
                        .then(same -> base.decoder()
                                .then(first -> model.decoder()
                                        .then(second -> Verdict.accepted(
                                                new Reading(base, first, model, second, windows, context)
                                                        .compare())))));
    }

    private static final class Reading {
        private final ModelRunner baseRunner;
        private final Transformer base;
        private final ModelRunner modelRunner;
        private final Transformer model;
        private final int[][] windows;
        private final int context;
        private final float[][] expected;
        private final double[] divergences;
        private double baseLoss;
        private double loss;
        private int same;
        private int scored;

        Reading(
                ModelRunner baseRunner,
                Transformer base,
                ModelRunner modelRunner,
                Transformer model,
                int[][] windows,
                int context) {
            this.baseRunner = baseRunner;
            this.base = base;
            this.modelRunner = modelRunner;
            this.model = model;
            this.windows = windows;
            this.context = context;
            this.expected = new float[Kernels.BATCH][base.shape().vocabulary()];
            this.divergences = new double[windows.length * (context - 1 - context / 2)];
        }

        ModelComparison compare() {
            for (int[] window : windows) {
                Sequence ofBase = baseRunner.sequence();
                Sequence ofModel = modelRunner.sequence();
                for (int from = 0; from < context; from += Kernels.BATCH) {
                    int first = from;
                    int n = Math.min(Kernels.BATCH, context - from);
                    boolean wanted = from + n > context / 2;
                    base.read(ofBase, window, from, n, sink(wanted, (position, logits) -> {
                        System.arraycopy(logits, 0, expected[position - first], 0, logits.length);
                    }));
                    model.read(ofModel, window, from, n, sink(wanted, (position, logits) -> {
                        if (position >= context / 2 && position < context - 1) {
                            score(expected[position - first], logits, window[position + 1]);
                        }
                    }));
                }
            }
            Arrays.sort(divergences);
            return new ModelComparison(
                    Math.exp(loss / scored),
                    Math.exp(baseLoss / scored),
                    Arrays.stream(divergences).sum() / scored,
                    divergences[(int) Math.ceil(0.99 * scored) - 1],
                    divergences[scored - 1],
                    (double) same / scored,
                    scored,
                    windows.length);
        }

        private static Transformer.@Nullable LogitsSink sink(boolean wanted, Transformer.LogitsSink sink) {
            return wanted ? sink : null;
        }

        private void score(float[] expectedLogits, float[] logits, int next) {
            divergences[scored++] = LogProbabilities.divergence(expectedLogits, logits);
            baseLoss -= LogProbabilities.of(expectedLogits, next);
            loss -= LogProbabilities.of(logits, next);
            same += Sampler.mostLikely(expectedLogits) == Sampler.mostLikely(logits) ? 1 : 0;
        }
    }
}
