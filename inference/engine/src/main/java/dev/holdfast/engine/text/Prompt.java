package dev.holdfast.engine.text;

import java.util.List;

/** What an answer continues. */
public sealed interface Prompt {
    /** A conversation, in order; roles are those of the model's template. */
    record Conversation(List<Message> messages) implements Prompt {
        public Conversation {
            messages = List.copyOf(messages);
        }
    }

    /** A text as it is. It yields no control tokens, whatever it spells. */
    record Text(String text) implements Prompt {}
}
