package dev.holdfast.inference;

import java.util.Arrays;
import java.util.SplittableRandom;

/** Chooses tokens from logits; allocates only at construction. Belongs to one answer. */
final class Sampler {
    private final Sampling sampling;
    private final SplittableRandom random;
    private final float[] probabilities;
    /** Probability bits in the upper half, token below, so that sorting numbers sorts tokens by probability. */
    private final long[] ranked;

    Sampler(Sampling sampling, int vocabulary) {
        this.sampling = sampling;
        this.random = new SplittableRandom(sampling.seed());
        boolean greedy = sampling.temperature() == 0;
        this.probabilities = new float[greedy ? 0 : vocabulary];
        this.ranked = new long[greedy ? 0 : vocabulary];
    }

    /** The next token, which is one of finite or infinite but not NaN logit; -1 where there is none. */
    int next(float[] logits) {
        int best = mostLikely(logits);
        if (best < 0 || sampling.temperature() == 0) {
            return best;
        }
        double sum = 0;
        for (int i = 0; i < logits.length; i++) {
            float p = (float) Math.exp((logits[i] - logits[best]) / sampling.temperature());
            probabilities[i] = p >= 0 ? p : 0;
            sum += probabilities[i];
        }
        return sampling.topP() < 1 ? nucleus(sum, best) : draw(random.nextDouble() * sum, best);
    }

    static int mostLikely(float[] logits) {
        int best = -1;
        for (int i = 0; i < logits.length; i++) {
            if (best < 0 ? logits[i] > Float.NEGATIVE_INFINITY : logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    private int draw(double point, int fallback) {
        double rest = point;
        for (int i = 0; i < probabilities.length; i++) {
            rest -= probabilities[i];
            if (rest < 0) {
                return i;
            }
        }
        return fallback;
    }

    private int nucleus(double sum, int fallback) {
        for (int i = 0; i < probabilities.length; i++) {
            // Bits of non-negative floats order like the floats.
            ranked[i] = (long) Float.floatToRawIntBits(probabilities[i]) << 32 | i;
        }
        Arrays.sort(ranked);
        double wanted = sampling.topP() * sum;
        double mass = 0;
        int first = ranked.length;
        while (first > 0 && mass < wanted) {
            mass += probabilities[(int) ranked[--first]];
        }
        double rest = random.nextDouble() * mass;
        for (int i = ranked.length - 1; i >= first; i--) {
            rest -= probabilities[(int) ranked[i]];
            if (rest < 0) {
                return (int) ranked[i];
            }
        }
        return fallback;
    }
}
