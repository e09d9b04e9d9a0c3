package dev.holdfast.engine;

/**
 * What an answer took.
 *
 * @param cachedTokens of the prompt's tokens those that an earlier prompt of the same owner had left
 */
public record Usage(int promptTokens, int cachedTokens, int completionTokens) {
    Usage completed(int tokens) {
        return new Usage(promptTokens, cachedTokens, tokens);
    }

    /** What both took. */
    public Usage plus(Usage other) {
        return new Usage(
                promptTokens + other.promptTokens,
                cachedTokens + other.cachedTokens,
                completionTokens + other.completionTokens);
    }
}
