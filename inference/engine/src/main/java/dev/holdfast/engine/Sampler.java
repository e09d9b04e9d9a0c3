package dev.holdfast.engine;

import java.util.Arrays;
import java.util.BitSet;
import java.util.SplittableRandom;

/**
 * Chooses tokens from logits in the order that {@link Sampling} names; allocates only at construction. Belongs to one
 * answer.
 */
public final class Sampler {
    private final Sampling sampling;
    private final SplittableRandom random;
    /** Probability bits in the upper half, token below, so that sorting numbers sorts tokens by probability. */
    private final long[] ranked;
    /** How often each token was chosen; empty without penalties. */
    private final int[] chosen;

    private final BitSet seen = new BitSet();

    Sampler(Sampling sampling, int vocabulary) {
        this.sampling = sampling;
        this.random = new SplittableRandom(sampling.seed());
        this.ranked = new long[sampling.temperature() == 0 ? 0 : vocabulary];
        this.chosen = new int[sampling.penalties().none() ? 0 : vocabulary];
    }

    /** Notes the prompt, for the repetition penalty. */
    void prompt(int[] tokens) {
        for (int token : tokens) {
            if (chosen.length > 0) {
                seen.set(token);
            }
        }
    }

    /** The next token, which is one of finite or infinite but not NaN logit; -1 where there is none. Changes logits. */
    int next(float[] logits) {
        if (chosen.length > 0) {
            penalize(logits);
        }
        int best = mostLikely(logits);
        int token = best < 0 || sampling.temperature() == 0 ? best : sample(logits, best);
        if (token >= 0 && chosen.length > 0) {
            chosen[token]++;
            seen.set(token);
        }
        return token;
    }

    public static int mostLikely(float[] logits) {
        int best = -1;
        for (int i = 0; i < logits.length; i++) {
            if (best < 0 ? logits[i] > Float.NEGATIVE_INFINITY : logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    private void penalize(float[] logits) {
        Penalties penalties = sampling.penalties();
        for (int token = seen.nextSetBit(0); token >= 0; token = seen.nextSetBit(token + 1)) {
            double logit = logits[token];
            logit = logit > 0 ? logit / penalties.repetition() : logit * penalties.repetition();
            if (chosen[token] > 0) {
                logit -= penalties.presence() + penalties.frequency() * chosen[token];
            }
            logits[token] = (float) logit;
        }
    }

    private int sample(float[] logits, int best) {
        int count = 0;
        double least = sampling.minP();
        for (int i = 0; i < logits.length; i++) {
            float p = (float) Math.exp((logits[i] - logits[best]) / sampling.temperature());
            // NaN fails both comparisons. Bits of non-negative floats order like the floats.
            if (p > 0 && p >= least) {
                ranked[count++] = (long) Float.floatToRawIntBits(p) << 32 | i;
            }
        }
        if (sampling.topK() > 0 && sampling.topK() < count) {
            keepLargest(count, sampling.topK());
            count = sampling.topK();
        }
        int first = sampling.topP() < 1 ? nucleus(count) : 0;
        double rest = random.nextDouble() * mass(first, count);
        for (int i = count - 1; i >= first; i--) {
            rest -= probability(ranked[i]);
            if (rest < 0) {
                return (int) ranked[i];
            }
        }
        return best;
    }

    /** Sorts upwards and gives the first of the tokens that stay. */
    private int nucleus(int count) {
        Arrays.sort(ranked, 0, count);
        double wanted = sampling.topP() * mass(0, count);
        double mass = 0;
        int first = count;
        while (first > 0 && mass < wanted) {
            mass += probability(ranked[--first]);
        }
        return first;
    }

    private double mass(int from, int to) {
        double sum = 0;
        for (int i = from; i < to; i++) {
            sum += probability(ranked[i]);
        }
        return sum;
    }

    private static float probability(long rank) {
        return Float.intBitsToFloat((int) (rank >>> 32));
    }

    /** Brings the {@code k} largest of {@code count} ranks to the front: a heap whose root is the smallest of them. */
    private void keepLargest(int count, int k) {
        for (int i = k / 2 - 1; i >= 0; i--) {
            siftDown(i, k);
        }
        for (int i = k; i < count; i++) {
            if (ranked[i] > ranked[0]) {
                ranked[0] = ranked[i];
                siftDown(0, k);
            }
        }
    }

    private void siftDown(int from, int size) {
        long value = ranked[from];
        int at = from;
        for (int child = 2 * at + 1; child < size; child = 2 * at + 1) {
            if (child + 1 < size && ranked[child + 1] < ranked[child]) {
                child++;
            }
            if (ranked[child] >= value) {
                break;
            }
            ranked[at] = ranked[child];
            at = child;
        }
        ranked[at] = value;
    }
}
