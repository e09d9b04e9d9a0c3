package dev.holdfast.inference;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.ChosenToken;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.Usage;
import dev.holdfast.engine.text.Prompt;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/** Writes one answer to one client, as one JSON object or as server-sent events. */
final class ChatReply extends AnswerReply {
    /** The two ways in which answers are written: with roles, or as text alone. */
    enum Shape {
        CHAT("chatcmpl-", "chat.completion", "chat.completion.chunk"),
        TEXT("cmpl-", "text_completion", "text_completion");

        private final String prefix;
        private final String whole;
        private final String part;

        Shape(String prefix, String whole, String part) {
            this.prefix = prefix;
            this.whole = whole;
            this.part = part;
        }
    }

    private final Shape shape;
    private final boolean includeUsage;
    private final int perPrompt;
    private final List<ChatRequest> requests;
    private final String id;
    private final long created = System.currentTimeMillis() / 1000;

    private ObjectNode head = Json.object();
    private int index;
    private StringBuilder answer = new StringBuilder();
    private final ArrayNode choices = Json.object().putArray("choices");
    private Usage usage = new Usage(0, 0, 0);
    /** Where the request asks for them. */
    private @Nullable Logprobs logprobs;

    ChatReply(
            Vertx vertx,
            HttpServerResponse response,
            Shape shape,
            ChatCall call,
            RequestClock.Limits limits,
            InferenceMetrics metrics) {
        super(vertx, response, call.stream(), limits, metrics);
        this.shape = shape;
        this.id = shape.prefix
                + HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
        this.includeUsage = call.includeUsage();
        this.perPrompt = call.choices();
        this.requests = call.requests();
    }

    @Override
    public void pinned(Slot slot) {
        clock.pinned(slot.model());
        head = Json.object();
        head.put("id", id);
        head.put("object", stream ? shape.part : shape.whole);
        head.put("created", created);
        head.put("model", slot.id());
        head.put("system_fingerprint", slot.fingerprint());
    }

    @Override
    public void choice(int number) {
        index = number;
        answer = new StringBuilder();
        ChatRequest request = requests.get(number);
        logprobs = request.alternatives().isPresent() ? new Logprobs(!stream, promptChars(request.prompt())) : null;
    }

    private static int promptChars(Prompt prompt) {
        return switch (prompt) {
            case Prompt.Conversation _ -> 0;
            case Prompt.Text(String text) -> text.codePointCount(0, text.length());
        };
    }

    @Override
    public void probability(ChosenToken token) {
        if (logprobs != null) {
            logprobs.add(token);
        }
    }

    @Override
    public void begun() {
        clock.progress();
        if (stream) {
            events.open();
            if (shape == Shape.CHAT) {
                ObjectNode delta = Json.object();
                delta.put("role", "assistant");
                delta.put("content", "");
                events.send(chunk(delta, List.of(), null));
            }
        }
    }

    @Override
    public boolean text(String delta) {
        List<ChosenToken> tokens = logprobs == null ? List.of() : logprobs.take();
        if (!stream) {
            answer.append(delta);
            return !clock.isOver();
        }
        if (!events.send(chunk(Json.object().put("content", delta), tokens, null))) {
            clock.gone();
        }
        return !clock.isOver();
    }

    @Override
    public void chosen(Usage one, Finish finish) {
        ended(finish);
        if (finish == Finish.CANCELLED) {
            return;
        }
        // One prompt is read once, however many answers it gets.
        usage = index % perPrompt == 0 ? usage.plus(one) : usage.plus(new Usage(0, 0, one.completionTokens()));
        if (stream) {
            events.send(chunk(Json.object(), List.of(), finish.wire()));
            return;
        }
        ObjectNode choice = choices.addObject();
        choice.put("index", index);
        switch (shape) {
            case CHAT ->
                choice.putObject("message")
                        .put("role", "assistant")
                        .put("content", answer.toString())
                        .putNull("refusal");
            case TEXT -> choice.put("text", answer.toString());
        }
        choice.set("logprobs", json(logprobs == null ? List.of() : logprobs.told()));
        choice.put("finish_reason", finish.wire());
    }

    @Override
    void whole() {
        clock.answered(usage);
        if (stream) {
            if (includeUsage) {
                ObjectNode last = head.deepCopy();
                last.putArray("choices");
                last.set("usage", json(usage));
                events.send(last);
            }
            events.end("data: [DONE]\n\n");
            return;
        }
        ObjectNode body = head.deepCopy();
        body.set("choices", choices);
        body.set("usage", json(usage));
        Replies.json(response, 200, body);
    }

    @Override
    void sendFailure(int status, Rejection why) {
        events.send(Replies.error(status, why));
    }

    /** Those of the text beside them; null where they are not told, and where a piece of a stream has none. */
    private @Nullable ObjectNode json(List<ChosenToken> tokens) {
        if (logprobs == null || stream && tokens.isEmpty()) {
            return null;
        }
        return switch (shape) {
            case CHAT -> Logprobs.chat(tokens);
            case TEXT -> logprobs.text(tokens);
        };
    }

    private ObjectNode chunk(ObjectNode delta, List<ChosenToken> tokens, @Nullable String finish) {
        ObjectNode chunk = head.deepCopy();
        ObjectNode choice = chunk.putArray("choices").addObject();
        choice.put("index", index);
        switch (shape) {
            case CHAT -> choice.set("delta", delta);
            case TEXT -> choice.put("text", delta.path("content").asText(""));
        }
        choice.set("logprobs", json(tokens));
        choice.put("finish_reason", finish);
        return chunk;
    }

    private static ObjectNode json(Usage usage) {
        ObjectNode node = Json.object();
        node.put("prompt_tokens", usage.promptTokens());
        node.put("completion_tokens", usage.completionTokens());
        node.put("total_tokens", usage.promptTokens() + usage.completionTokens());
        node.putObject("prompt_tokens_details").put("cached_tokens", usage.cachedTokens());
        return node;
    }
}
