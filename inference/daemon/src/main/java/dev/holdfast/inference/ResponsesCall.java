package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.Prompt;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The body of {@code POST /v1/responses}, which becomes a conversation. Nothing is kept between two calls: the caller sends what was said
 * before, as it does to chat.
 *
 * @param model the model asked for, or null
 * @param body what the caller sent, some of which is said back
 * @param ignored fields that nobody knows
 */
record ResponsesCall(@Nullable String model, ChatRequest request, boolean stream, JsonNode body, IgnoredFields ignored)
        implements ApiCall {
    private static final int MAX_WORD_CHARS = 256;
    private static final int MAX_INCLUDED = 64;
    /** What {@code include} names where log-probabilities are to be told; whatever else it may name is not there to be told. */
    private static final String LOGPROBS = "message.output_text.logprobs";

    private static final ApiGrammar MESSAGE = new ApiGrammar(
            Set.of("type", "role", "content"),
            Map.of("id", ApiGrammar.TEXT, "status", ApiGrammar.TEXT, "phase", ApiGrammar.TEXT),
            Set.of());
    private static final ApiGrammar CALL = new ApiGrammar(
            Set.of("type", "name", "arguments"),
            Map.of("id", ApiGrammar.TEXT, "call_id", ApiGrammar.TEXT, "status", ApiGrammar.TEXT),
            Set.of());
    private static final ApiGrammar RESULT = new ApiGrammar(
            Set.of("type", "output"),
            Map.of("id", ApiGrammar.TEXT, "call_id", ApiGrammar.TEXT, "status", ApiGrammar.TEXT),
            Set.of());

    static Verdict<ResponsesCall> read(byte[] body) {
        return ChatCall.fields(body, fields -> {
            IgnoredFields ignored = new IgnoredFields();
            CompletionGrammar.RESPONSE.check(fields, ignored);
            List<Message> messages = new ArrayList<>();
            if (fields.has("instructions")) {
                messages.add(new Message("system", fields.textOrEmpty("instructions", Integer.MAX_VALUE)));
            }
            input(fields, messages, ignored);
            long tokens = fields.integerOr("max_output_tokens", 1, ChatCall.MAX_TOKENS, ChatCall.DEFAULT_TOKENS);
            return new ResponsesCall(
                    ChatCall.model(fields),
                    ChatCall.request(fields, new Prompt.Conversation(messages), tokens, 0, alternatives(fields)),
                    fields.flagOr("stream", false),
                    fields.node(),
                    ignored);
        });
    }

    private static OptionalInt alternatives(Fields fields) throws RejectedException {
        boolean asked = false;
        for (JsonNode wish : fields.has("include") ? fields.array("include", MAX_INCLUDED) : List.<JsonNode>of()) {
            asked |= wish.asText().equals(LOGPROBS);
        }
        return Logprobs.alternatives(fields, asked, "include has " + LOGPROBS);
    }

    @Override
    public Optional<String> reserved() {
        return request.alternatives().isPresent() ? Optional.of("include") : Optional.empty();
    }

    private static void input(Fields fields, List<Message> messages, IgnoredFields ignored) throws RejectedException {
        JsonNode input = fields.node().path("input");
        if (input.isTextual()) {
            messages.add(new Message("user", input.textValue()));
            return;
        }
        int before = messages.size();
        int index = 0;
        for (JsonNode each : fields.array("input", ChatMessages.MAX_MESSAGES)) {
            Fields item = Fields.at("input[" + index++ + "]", each);
            switch (item.has("type") ? item.text("type", MAX_WORD_CHARS) : "message") {
                case "message" -> {
                    MESSAGE.check(item, ignored);
                    String role = item.text("role", MAX_WORD_CHARS);
                    messages.add(new Message(role, ChatMessages.content(item, "content", ignored)));
                }
                case "function_call" -> {
                    CALL.check(item, ignored);
                    String name = item.text("name", MAX_WORD_CHARS);
                    String arguments = item.textOrEmpty("arguments", Integer.MAX_VALUE);
                    messages.add(new Message("assistant", ChatMessages.call(name, arguments)));
                }
                case "function_call_output" -> {
                    RESULT.check(item, ignored);
                    messages.add(new Message("tool", ChatMessages.content(item, "output", ignored)));
                }
                // What a model thought to itself is not part of the conversation.
                case "reasoning" -> {}
                default ->
                    throw ApiGrammar.unsupported(
                            item.path() + "type",
                            item.path() + "type must be message, function_call, function_call_output or reasoning");
            }
        }
        if (messages.size() == before) {
            throw fields.wrong("input", "a text or an array of at least one message");
        }
    }
}
