package dev.holdfast.engine;

import dev.holdfast.engine.ChosenToken.Candidate;
import dev.holdfast.engine.text.SpelledToken;
import dev.holdfast.engine.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;

/**
 * Tells of the tokens of one answer how likely they were. It keeps a copy of the logits of one place, since the choice of a token changes
 * them. Belongs to one answer.
 */
final class TokenProbabilities {
    private final Tokenizer tokenizer;
    private final int alternatives;
    private final float[] logits;
    /** The most likely tokens of a place, the first the most. */
    private final int[] best;

    private boolean first;

    /**
     * Nothing is known yet.
     *
     * @param alternatives how many of the most likely tokens are told at each place
     * @param vocabulary how many logits there are
     * @param afterSpecial whether the answer begins behind a control token, see {@link SpelledToken#of}
     */
    TokenProbabilities(Tokenizer tokenizer, int alternatives, int vocabulary, boolean afterSpecial) {
        this.tokenizer = tokenizer;
        this.alternatives = Math.min(alternatives, vocabulary);
        this.logits = new float[vocabulary];
        this.best = new int[this.alternatives];
        this.first = afterSpecial;
    }

    /** Keeps the logits of the next place, before anybody changes them. */
    void keep(float[] computed) {
        System.arraycopy(computed, 0, logits, 0, logits.length);
    }

    /** The token that was taken there. */
    ChosenToken chosen(int token) {
        double logSum = LogProbabilities.logSum(logits);
        int count = likeliest();
        List<Candidate> likeliest = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            likeliest.add(candidate(best[i], logSum));
        }
        ChosenToken told = new ChosenToken(candidate(token, logSum), likeliest);
        first = false;
        return told;
    }

    private Candidate candidate(int token, double logSum) {
        double value = logits[token] - logSum;
        // The sum may be rounded below its largest part; and NaN fails the comparison.
        double logProbability = value >= ChosenToken.UNLIKELY ? Math.min(value, 0) : ChosenToken.UNLIKELY;
        return new Candidate(SpelledToken.of(tokenizer, token, first), logProbability);
    }

    /** Fills {@link #best} by insertion: what is asked for is few, and most tokens are below the last of them. */
    private int likeliest() {
        int count = 0;
        for (int token = 0; token < logits.length && alternatives > 0; token++) {
            float logit = logits[token];
            // NaN fails the comparison.
            boolean possible = logit > Float.NEGATIVE_INFINITY;
            if (!possible || count == alternatives && logit <= logits[best[count - 1]]) {
                continue;
            }
            int at = count < alternatives ? count++ : count - 1;
            while (at > 0 && logit > logits[best[at - 1]]) {
                best[at] = best[at - 1];
                at--;
            }
            best[at] = token;
        }
        return count;
    }
}
