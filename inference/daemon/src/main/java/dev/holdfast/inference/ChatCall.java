package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Penalties;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.Prompt;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The body of {@code POST /v1/chat/completions} or {@code /v1/completions}. Every field is checked for type and range, and an unknown one is
 * refused: what is silently ignored is taken for granted by the caller.
 *
 * @param model the model asked for, or null
 * @param stream whether the answer comes as server-sent events
 * @param includeUsage whether a stream ends with the token counts
 */
record ChatCall(@Nullable String model, ChatRequest request, boolean stream, boolean includeUsage) {
    static final int MAX_BODY_BYTES = 64 * 1024;
    private static final int MAX_MESSAGES = 256;
    private static final int MAX_WORD_CHARS = 256;
    private static final int MAX_STOPS = 4;
    private static final int MAX_STOP_CHARS = 256;
    private static final long MAX_TOKENS = 1 << 20;
    private static final long DEFAULT_TOKENS = 512;
    private static final int MAX_TOKENS_PER_SECOND = 1000;
    private static final Set<String> FIELDS = Set.of(
            "model",
            "stream",
            "stream_options",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "top_k",
            "top_p",
            "min_p",
            "repetition_penalty",
            "presence_penalty",
            "frequency_penalty",
            "seed",
            "stop",
            "ignore_eos",
            "tokens_per_second");

    /** Reads a body with {@code messages}. */
    static Verdict<ChatCall> read(byte[] body) {
        return read(body, "messages");
    }

    /** Reads a body with {@code prompt}, a text. */
    static Verdict<ChatCall> readPlain(byte[] body) {
        return read(body, "prompt");
    }

    private static Verdict<ChatCall> read(byte[] body, String promptField) {
        return Json.readObject(body, MAX_BODY_BYTES).then(node -> Verdict.of(() -> read(node, promptField)));
    }

    private static ChatCall read(JsonNode node, String promptField) throws RejectedException {
        Fields fields = Fields.of(node);
        Set<String> known = new HashSet<>(FIELDS);
        known.add(promptField);
        fields.only(known);
        String model = fields.has("model") ? fields.textOrEmpty("model", ModelName.MAX_ID_CHARS) : null;
        long maxTokens = fields.integerOr("max_tokens", 1, MAX_TOKENS, DEFAULT_TOKENS);
        maxTokens = fields.integerOr("max_completion_tokens", 1, MAX_TOKENS, maxTokens);
        ChatRequest request = new ChatRequest(
                promptField.equals("prompt")
                        ? new Prompt.Text(fields.textOrEmpty("prompt", MAX_BODY_BYTES))
                        : new Prompt.Conversation(messages(node.path("messages"))),
                (int) maxTokens,
                sampling(fields),
                stop(node.path("stop")),
                fields.flagOr("ignore_eos", false),
                (int) fields.integerOr("tokens_per_second", 1, MAX_TOKENS_PER_SECOND, 0L));
        boolean usage = false;
        if (fields.has("stream_options")) {
            Fields options = fields.object("stream_options");
            options.only(Set.of("include_usage"));
            usage = options.flagOr("include_usage", false);
        }
        return new ChatCall(model, request, fields.flagOr("stream", false), usage);
    }

    private static Sampling sampling(Fields fields) throws RejectedException {
        Penalties penalties = new Penalties(
                // Zero would divide by zero; what is below a hundredth is not a useful penalty.
                fields.numberOr("repetition_penalty", 0.01, 4, 1),
                fields.numberOr("presence_penalty", -2, 2, 0),
                fields.numberOr("frequency_penalty", -2, 2, 0));
        return new Sampling(
                fields.numberOr("temperature", 0, 2, 0),
                (int) fields.integerOr("top_k", 0, Integer.MAX_VALUE, 0L),
                // Zero is allowed on the wire, and means the most likely token only.
                Math.max(fields.numberOr("top_p", 0, 1, 1), Double.MIN_NORMAL),
                fields.numberOr("min_p", 0, 1, 0),
                penalties,
                fields.integerOr(
                        "seed",
                        Long.MIN_VALUE,
                        Long.MAX_VALUE,
                        ThreadLocalRandom.current().nextLong()));
    }

    private static List<Message> messages(JsonNode array) throws RejectedException {
        if (!array.isArray() || array.isEmpty() || array.size() > MAX_MESSAGES) {
            throw new RejectedException(Code.WIRE_FIELD, "messages must be an array of 1 to " + MAX_MESSAGES);
        }
        List<Message> messages = new ArrayList<>();
        for (JsonNode node : array) {
            Fields message = Fields.of(node);
            message.only(Set.of("role", "content"));
            messages.add(new Message(message.textOrEmpty("role", MAX_WORD_CHARS), content(node.path("content"))));
        }
        return messages;
    }

    /** A text, or an array of parts that are texts. */
    private static String content(JsonNode node) throws RejectedException {
        if (node.isTextual()) {
            return node.textValue();
        }
        if (!node.isArray()) {
            throw new RejectedException(Code.WIRE_FIELD, "content must be a text");
        }
        StringBuilder text = new StringBuilder();
        for (JsonNode part : node) {
            Fields fields = Fields.of(part);
            fields.only(Set.of("type", "text"));
            if (!fields.textOrEmpty("type", MAX_WORD_CHARS).equals("text")) {
                throw new RejectedException(Code.WIRE_FIELD, "content parts must be of type text");
            }
            text.append(fields.textOrEmpty("text", MAX_BODY_BYTES));
        }
        return text.toString();
    }

    private static List<String> stop(JsonNode node) throws RejectedException {
        if (node.isMissingNode() || node.isNull()) {
            return List.of();
        }
        List<String> stop = new ArrayList<>();
        for (JsonNode word : node.isArray() ? node : List.of(node)) {
            if (!word.isTextual()
                    || word.textValue().isEmpty()
                    || word.textValue().length() > MAX_STOP_CHARS
                    // Half a character would cut an answer in the middle of one.
                    || !StandardCharsets.UTF_8.newEncoder().canEncode(word.textValue())
                    || stop.size() == MAX_STOPS) {
                throw new RejectedException(Code.WIRE_FIELD, "stop must be a text or up to " + MAX_STOPS + " texts");
            }
            stop.add(word.textValue());
        }
        return stop;
    }
}
