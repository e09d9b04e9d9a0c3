package dev.holdfast.engine;

/** Natural logarithms of probabilities from logits, in 64 bits. Over the socket they leave for the operator alone: they would give the model away. */
public final class LogProbabilities {
    private LogProbabilities() {}

    /** The logarithm of the sum of exponentials: a token's logit less this is its log-probability. */
    public static double logSum(float[] logits) {
        double largest = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            largest = Math.max(largest, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - largest);
        }
        return largest + Math.log(sum);
    }

    static double of(float[] logits, int token) {
        return logits[token] - logSum(logits);
    }

    /** The Kullback-Leibler divergence of {@code model} from {@code base}, in nats; never below 0 but for rounding. */
    static double divergence(float[] base, float[] model) {
        double baseSum = logSum(base);
        double modelSum = logSum(model);
        double sum = 0;
        for (int i = 0; i < base.length; i++) {
            double expected = base[i] - baseSum;
            double probability = Math.exp(expected);
            // Where the base gives no probability, 0 log 0 is 0.
            sum += probability > 0 ? probability * (expected - (model[i] - modelSum)) : 0;
        }
        return sum;
    }
}
