package dev.holdfast.engine;

import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.Prompt;
import java.util.List;

/**
 * A prompt to be continued.
 *
 * @param prompt a conversation or a text
 * @param maxTokens the longest answer; the context may end it earlier
 * @param stop texts that end the answer
 * @param ignoreEnd control tokens are never chosen, so that the answer runs to its limit
 * @param tokensPerSecond 0 for as fast as can be, else the answer leaves on a fixed clock
 */
public record ChatRequest(
        Prompt prompt, int maxTokens, Sampling sampling, List<String> stop, boolean ignoreEnd, int tokensPerSecond) {
    public ChatRequest {
        stop = List.copyOf(stop);
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
