package dev.holdfast.engine;

import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.Prompt;
import java.util.List;
import java.util.OptionalInt;

/**
 * A prompt to be continued.
 *
 * @param prompt a conversation or a text
 * @param maxTokens the longest answer; the context may end it earlier
 * @param stop texts that end the answer
 * @param ignoreEnd control tokens are never chosen, so that the answer runs to its limit
 * @param tokensPerSecond 0 for as fast as can be, else the answer leaves on a fixed clock
 * @param alternatives where log-probabilities are told, of how many of the most likely tokens at each place beside the chosen one
 */
public record ChatRequest(
        Prompt prompt,
        int maxTokens,
        Sampling sampling,
        List<String> stop,
        boolean ignoreEnd,
        int tokensPerSecond,
        OptionalInt alternatives) {
    public ChatRequest {
        stop = List.copyOf(stop);
    }

    /** Without log-probabilities. */
    public ChatRequest(
            Prompt prompt,
            int maxTokens,
            Sampling sampling,
            List<String> stop,
            boolean ignoreEnd,
            int tokensPerSecond) {
        this(prompt, maxTokens, sampling, stop, ignoreEnd, tokensPerSecond, OptionalInt.empty());
    }

    /** The most likely answer to one message of the user. */
    public static ChatRequest greedy(String prompt, int maxTokens) {
        return new ChatRequest(
                new Prompt.Conversation(List.of(new Message("user", prompt))),
                maxTokens,
                Sampling.GREEDY,
                List.of(),
                false,
                0);
    }
}
