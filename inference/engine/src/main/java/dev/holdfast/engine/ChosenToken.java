package dev.holdfast.engine;

import dev.holdfast.engine.text.SpelledToken;
import java.util.List;

/**
 * A token of an answer and how likely the model took it to be. Natural logarithms of probabilities, from the logits as the model computed
 * them: before penalties, masks and temperature.
 *
 * @param chosen the token that was taken
 * @param likeliest the most likely tokens at its place, the first the most; as many as were asked for
 */
public record ChosenToken(Candidate chosen, List<Candidate> likeliest) {
    /** What stands for a probability of 0, as with OpenAI: JSON has no infinity. */
    public static final double UNLIKELY = -9999;

    /**
     * One token at one place.
     *
     * @param logProbability at most 0, and at least {@link #UNLIKELY}
     */
    public record Candidate(SpelledToken token, double logProbability) {}

    public ChosenToken {
        likeliest = List.copyOf(likeliest);
    }
}
