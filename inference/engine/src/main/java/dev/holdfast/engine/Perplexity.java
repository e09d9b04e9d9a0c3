package dev.holdfast.engine;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.util.Arrays;

/**
 * How well a model expects a text.
 *
 * @param value exp of the mean negative log likelihood
 * @param tokens how many tokens were scored
 */
public record Perplexity(double value, int tokens, int windows) {
    /**
     * Cuts the tokens into windows of {@code context} and scores the second half of each, so that every scored token
     * has at least half a window before it (the convention of llama.cpp's perplexity tool). The first token of a window
     * is replaced by the begin token where the model wants one.
     */
    public static Verdict<Perplexity> of(ModelRunner runner, int[] tokens, int context) {
        return windows(runner, tokens, context)
                .then(windows -> runner.decoder().then(decoder -> {
                    double[] loss = {0};
                    for (int[] window : windows) {
                        decoder.read(runner.sequence(), window, 0, context, (position, logits) -> {
                            if (position >= context / 2 && position < context - 1) {
                                loss[0] -= LogProbabilities.of(logits, window[position + 1]);
                            }
                        });
                    }
                    int scored = windows.length * (context - 1 - context / 2);
                    return Verdict.accepted(new Perplexity(Math.exp(loss[0] / scored), scored, windows.length));
                }));
    }

    /** The windows whose second halves are scored. */
    static Verdict<int[][]> windows(ModelRunner runner, int[] tokens, int context) {
        int most = runner.contextTokens();
        if (context < 4 || context > most || tokens.length < context) {
            return Verdict.rejected(
                    Code.API_CONTEXT, tokens.length + " tokens in windows of " + context + " of " + most);
        }
        return runner.checked(tokens, Integer.MAX_VALUE).then(input -> {
            int begin = runner.begin();
            int[][] windows = new int[input.length / context][];
            for (int w = 0; w < windows.length; w++) {
                windows[w] = Arrays.copyOfRange(input, w * context, (w + 1) * context);
                windows[w][0] = begin >= 0 ? begin : windows[w][0];
            }
            return Verdict.accepted(windows);
        });
    }
}
