package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.text.Message;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads the {@code messages} of a chat, as clients of OpenAI write them. */
final class ChatMessages {
    static final int MAX_MESSAGES = 1024;

    private static final int MAX_WORD_CHARS = 256;
    private static final int MAX_PARTS = 1024;
    private static final int MAX_CALLS = 128;

    private static final ApiGrammar MESSAGE = new ApiGrammar(
            Set.of("role", "content", "tool_calls", "tool_call_id"),
            Map.of(
                    "name", ApiGrammar.TEXT,
                    "refusal", ApiGrammar.TEXT,
                    "annotations", ApiGrammar.EMPTY),
            Set.of("audio", "function_call"));
    private static final ApiGrammar PART = new ApiGrammar(
            Set.of("type", "text", "refusal"),
            Map.of("annotations", JsonNode::isArray, "logprobs", JsonNode::isArray),
            Set.of());
    private static final ApiGrammar CALL =
            new ApiGrammar(Set.of("type", "function"), Map.of("id", ApiGrammar.TEXT), Set.of());

    private ChatMessages() {}

    static List<Message> read(Fields body, IgnoredFields ignored) throws RejectedException {
        List<JsonNode> array = body.array("messages", MAX_MESSAGES);
        if (array.isEmpty()) {
            throw body.wrong("messages", "an array of 1 to " + MAX_MESSAGES + " messages");
        }
        List<Message> messages = new ArrayList<>();
        for (JsonNode node : array) {
            Fields message = Fields.at("messages[" + messages.size() + "]", node);
            MESSAGE.check(message, ignored);
            String role = message.text("role", MAX_WORD_CHARS);
            String calls = calls(message, ignored);
            // An assistant's turn that called a tool need not say anything besides.
            String said = message.has("content") || calls.isEmpty() ? content(message, "content", ignored) : "";
            messages.add(new Message(role, said.isEmpty() || calls.isEmpty() ? said + calls : said + "\n" + calls));
        }
        return messages;
    }

    /** A text, or an array of parts that are texts. */
    static String content(Fields message, String name, IgnoredFields ignored) throws RejectedException {
        JsonNode node = message.node().path(name);
        if (node.isTextual()) {
            return node.textValue();
        }
        if (!node.isArray() || node.size() > MAX_PARTS) {
            throw message.wrong(name, "a text or an array of at most " + MAX_PARTS + " parts");
        }
        StringBuilder text = new StringBuilder();
        int index = 0;
        for (JsonNode each : node) {
            Fields part = Fields.at(message.path() + name + "[" + index++ + "]", each);
            PART.check(part, ignored);
            switch (part.text("type", MAX_WORD_CHARS)) {
                case "text", "input_text", "output_text" -> text.append(part.textOrEmpty("text", Integer.MAX_VALUE));
                case "refusal" -> text.append(part.textOrEmpty("refusal", Integer.MAX_VALUE));
                default ->
                    throw ApiGrammar.unsupported(
                            part.path() + "type", part.path() + "type must be text: no model here sees or hears");
            }
        }
        return text.toString();
    }

    /** The calls of an assistant's turn as the text that stands for them; empty where there are none. */
    private static String calls(Fields message, IgnoredFields ignored) throws RejectedException {
        if (!message.has("tool_calls")) {
            return "";
        }
        StringBuilder text = new StringBuilder();
        int index = 0;
        for (JsonNode each : message.array("tool_calls", MAX_CALLS)) {
            Fields call = Fields.at(message.path() + "tool_calls[" + index++ + "]", each);
            CALL.check(call, ignored);
            Fields function = call.object("function");
            text.append(text.isEmpty() ? "" : "\n")
                    .append(call(
                            function.text("name", MAX_WORD_CHARS),
                            function.textOrEmpty("arguments", Integer.MAX_VALUE)));
        }
        return text.toString();
    }

    /** One call of a tool as text: its name, and its arguments as the model wrote them where they are JSON. */
    static String call(String name, String arguments) {
        ObjectNode call = Json.object().put("name", name);
        switch (Json.readObject(arguments.getBytes(StandardCharsets.UTF_8), Integer.MAX_VALUE)) {
            case Verdict.Accepted<JsonNode>(JsonNode read) -> call.set("arguments", read);
            case Verdict.Rejected<JsonNode> _ -> call.put("arguments", arguments);
        }
        return call.toString();
    }
}
