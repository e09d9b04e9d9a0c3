package dev.holdfast.inference;

/**
 * How the next token is chosen.
 *
 * @param temperature 0 takes the most likely token; up to 2
 * @param topP the smallest set of most likely tokens with this much probability is sampled from; above 0 to 1
 * @param seed makes a sampled answer repeatable on the same machine
 */
public record Sampling(double temperature, double topP, long seed) {
    public static final Sampling GREEDY = new Sampling(0, 1, 0);

    public Sampling {
        if (!(temperature >= 0 && temperature <= 2) || !(topP > 0 && topP <= 1)) {
            throw new IllegalArgumentException("temperature " + temperature + ", top_p " + topP);
        }
    }
}
