package dev.holdfast.engine;

/**
 * What makes a token that was there before less likely. All of it works on logits, before temperature.
 *
 * @param repetition positive logits of tokens in prompt and answer are divided by it, negative ones multiplied; above 0
 *     to 4, 1 changes nothing (Keskar et al., CTRL, section 4.1)
 * @param presence taken once from the logit of each token in the answer; -2 to 2
 * @param frequency taken from the logit of a token for each time that it is in the answer; -2 to 2
 */
public record Penalties(double repetition, double presence, double frequency) {
    public static final Penalties NONE = new Penalties(1, 0, 0);

    public Penalties {
        if (!(repetition > 0 && repetition <= 4) || !(Math.abs(presence) <= 2) || !(Math.abs(frequency) <= 2)) {
            throw new IllegalArgumentException(
                    "repetition " + repetition + ", presence " + presence + ", frequency " + frequency);
        }
    }

    boolean none() {
        return equals(NONE);
    }
}
