package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.Usage;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Writes one answer to one client, as one JSON object or as server-sent events.
 *
 * <p>A stream runs at most {@link #WINDOW} events ahead of what the socket has taken; then the engine's thread waits.
 * A client that takes nothing for {@link #STALL_SECONDS} loses its answer, because it holds a sequence that others wait
 * for; so does one whose answer takes longer than a request may.
 */
final class ChatReply implements AnswerListener {
    private static final int WINDOW = 32;
    private static final int STALL_SECONDS = 20;

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

    private final HttpServerResponse response;
    private final Shape shape;
    private final boolean stream;
    private final boolean includeUsage;
    private final String id;
    private final long created = System.currentTimeMillis() / 1000;
    private final Semaphore window = new Semaphore(WINDOW);
    private final StringBuilder answer = new StringBuilder();
    private final RequestClock clock;
    private ObjectNode head = Json.object();

    /** @param limit how long the request may take */
    ChatReply(
            Vertx vertx,
            HttpServerResponse response,
            Shape shape,
            boolean stream,
            boolean includeUsage,
            Duration limit) {
        this.response = response;
        this.shape = shape;
        this.id = shape.prefix
                + HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
        this.stream = stream;
        this.includeUsage = includeUsage;
        this.clock = new RequestClock(vertx, response, limit, () -> window.release(WINDOW));
    }

    @Override
    public boolean begin() {
        return clock.begin();
    }

    @Override
    public void pinned(Slot model) {
        head = Json.object();
        head.put("id", id);
        head.put("object", stream ? shape.part : shape.whole);
        head.put("created", created);
        head.put("model", model.id());
        head.put("system_fingerprint", model.fingerprint());
    }

    @Override
    public void begun() {
        if (stream) {
            response.putHeader("Content-Type", "text/event-stream");
            response.putHeader("Cache-Control", "no-store");
            response.setChunked(true);
            if (shape == Shape.CHAT) {
                ObjectNode delta = Json.object();
                delta.put("role", "assistant");
                delta.put("content", "");
                send(chunk(delta, null));
            }
        }
    }

    @Override
    public boolean text(String delta) {
        if (!stream) {
            answer.append(delta);
            return !clock.isOver();
        }
        return send(chunk(Json.object().put("content", delta), null)) && !clock.isOver();
    }

    @Override
    public void finished(Usage usage, Finish finish) {
        if (finish == Finish.CANCELLED) {
            if (clock.isGone()) {
                cancel();
            } else {
                failed(clock.tooLate());
            }
            return;
        }
        if (stream) {
            send(chunk(Json.object(), finish.wire()));
            if (includeUsage) {
                ObjectNode last = head.deepCopy();
                last.putArray("choices");
                last.set("usage", json(usage));
                send(last);
            }
            end("data: [DONE]\n\n");
            return;
        }
        ObjectNode body = head.deepCopy();
        ObjectNode choice = body.putArray("choices").addObject();
        choice.put("index", 0);
        switch (shape) {
            case CHAT -> choice.putObject("message").put("role", "assistant").put("content", answer.toString());
            case TEXT -> choice.put("text", answer.toString());
        }
        choice.put("finish_reason", finish.wire());
        body.set("usage", json(usage));
        clock.stop();
        Replies.json(response, 200, body);
    }

    @Override
    public void failed(Rejection why) {
        int status = Replies.status(why.code());
        if (response.headWritten()) {
            send(Replies.error(status, why));
            end("");
        } else {
            clock.stop();
            Replies.error(response, status, why);
        }
    }

    @Override
    public boolean cancelled() {
        return clock.isOver();
    }

    @Override
    public boolean wanted() {
        return !clock.isGone();
    }

    private ObjectNode chunk(ObjectNode delta, @Nullable String finish) {
        ObjectNode chunk = head.deepCopy();
        ObjectNode choice = chunk.putArray("choices").addObject();
        choice.put("index", 0);
        switch (shape) {
            case CHAT -> choice.set("delta", delta);
            case TEXT -> choice.put("text", delta.path("content").asText(""));
        }
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

    private boolean send(JsonNode event) {
        try {
            if (!window.tryAcquire(STALL_SECONDS, TimeUnit.SECONDS)) {
                cancel();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            cancel();
        }
        if (clock.isGone() || response.closed()) {
            return false;
        }
        Buffer frame = Buffer.buffer("data: ")
                .appendBytes(Json.write(event))
                .appendBytes("\n\n".getBytes(StandardCharsets.US_ASCII));
        response.write(frame).onComplete(done -> window.release());
        return true;
    }

    private void end(String last) {
        clock.stop();
        if (!clock.isGone() && !response.closed()) {
            response.end(last);
        }
    }

    /** Hangs up: an answer that was cut must not look like a whole one. */
    private void cancel() {
        clock.gone();
        if (!response.closed()) {
            response.reset();
        }
    }
}
