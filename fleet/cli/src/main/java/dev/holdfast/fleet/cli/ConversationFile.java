package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.text.Message;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;

/**
 * A conversation to look at: a JSON array of messages, each with {@code role} and {@code content} as texts, or an object whose
 * {@code messages} are that array, as requests have it.
 */
final class ConversationFile {
    static final int MAX_BYTES = 1024 * 1024;

    /** As many as a request may have. */
    private static final int MAX_MESSAGES = 1024;

    private static final int MAX_ROLE_CHARS = 64;

    private ConversationFile() {}

    static Verdict<List<Message>> read(byte[] utf8) {
        return Json.read(utf8, MAX_BYTES).then(root -> Verdict.of(() -> messages(root)));
    }

    private static List<Message> messages(JsonNode root) throws RejectedException {
        JsonNode array = root.isObject() ? root.path("messages") : root;
        if (!array.isArray() || array.isEmpty() || array.size() > MAX_MESSAGES) {
            throw new RejectedException(
                    Code.WIRE_FIELD, "a conversation is an array of 1 to " + MAX_MESSAGES + " messages");
        }
        List<Message> messages = new ArrayList<>();
        for (JsonNode node : array) {
            JsonNode role = node.path("role");
            JsonNode content = node.path("content");
            if (!role.isTextual() || role.textValue().length() > MAX_ROLE_CHARS || !content.isTextual()) {
                throw new RejectedException(
                        Code.WIRE_FIELD,
                        "messages[" + messages.size() + "] is no object with the texts role (at most " + MAX_ROLE_CHARS
                                + " characters) and content");
            }
            messages.add(new Message(role.textValue(), content.textValue()));
        }
        return messages;
    }
}
