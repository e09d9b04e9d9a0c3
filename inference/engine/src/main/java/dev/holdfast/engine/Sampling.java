package dev.holdfast.engine;

/**
 * How the next token is chosen. The order is: penalties, temperature, min-p, top-k, top-p; what is left is sampled from.
 *
 * @param temperature 0 takes the most likely token; up to 2
 * @param topK only so many of the most likely tokens; 0 for all
 * @param topP the smallest set of most likely tokens with this share of what is left; above 0 to 1
 * @param minP only tokens with at least this share of the most likely one's probability; 0 to 1
 * @param seed makes a sampled answer repeatable on the same machine
 */
public record Sampling(double temperature, int topK, double topP, double minP, Penalties penalties, long seed) {
    public static final Sampling GREEDY = new Sampling(0, 1, 0);

    public Sampling {
        if (!(temperature >= 0 && temperature <= 2)
                || topK < 0
                || !(topP > 0 && topP <= 1)
                || !(minP >= 0 && minP <= 1)) {
            throw new IllegalArgumentException(
                    "temperature " + temperature + ", top_k " + topK + ", top_p " + topP + ", min_p " + minP);
        }
    }

    /** Temperature and top-p alone. */
    public Sampling(double temperature, double topP, long seed) {
        this(temperature, 0, topP, 0, Penalties.NONE, seed);
    }
}
