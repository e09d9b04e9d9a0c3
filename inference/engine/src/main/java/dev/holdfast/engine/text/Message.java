package dev.holdfast.engine.text;

/**
 * One message of a conversation.
 *
 * @param role a role that the model's template names
 * @param content what was said; data, in which nothing is special
 */
public record Message(String role, String content) {
    /** Content is private: it appears in no log. */
    @Override
    public String toString() {
        return "Message[" + role + ", " + content.length() + " characters]";
    }
}
