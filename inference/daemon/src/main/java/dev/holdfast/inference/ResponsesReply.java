package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChosenToken;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.Usage;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/** Writes the answer to one call of the Responses API, as one JSON object or as its sequence of events. */
final class ResponsesReply extends AnswerReply {
    /** Said back as they were sent. */
    private static final List<String> SAID_BACK = List.of(
            "instructions", "max_output_tokens", "metadata", "reasoning", "user", "safety_identifier", "top_logprobs");

    private final ResponsesCall call;
    private final String id = "resp_" + random();
    private final String itemId = "msg_" + random();
    private final long created = System.currentTimeMillis() / 1000;
    private final StringBuilder answer = new StringBuilder();

    /** Where the call asks for them. */
    private final @Nullable Logprobs logprobs;

    private String model = "";
    private int sequence;
    private Usage usage = new Usage(0, 0, 0);
    private Finish finish = Finish.STOP;

    ResponsesReply(
            Vertx vertx,
            HttpServerResponse response,
            ResponsesCall call,
            RequestClock.Limits limits,
            InferenceMetrics metrics) {
        super(vertx, response, call.stream(), limits, metrics);
        this.call = call;
        this.logprobs = call.request().alternatives().isPresent() ? new Logprobs(true, 0) : null;
    }

    private static String random() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        return HexFormat.of().toHexDigits(random.nextLong()) + HexFormat.of().toHexDigits(random.nextLong());
    }

    @Override
    public void pinned(Slot slot) {
        model = slot.id();
        clock.pinned(slot.model());
    }

    @Override
    public void begun() {
        clock.progress();
        if (stream) {
            events.open();
            send("response.created", Json.object().set("response", object("in_progress")));
            send("response.in_progress", Json.object().set("response", object("in_progress")));
            ObjectNode added = Json.object().put("output_index", 0);
            ObjectNode item = message("in_progress");
            item.putArray("content");
            added.set("item", item);
            send("response.output_item.added", added);
            ObjectNode part = position();
            part.set("part", part("", List.of()));
            send("response.content_part.added", part);
        }
    }

    @Override
    public void probability(ChosenToken token) {
        if (logprobs != null) {
            logprobs.add(token);
        }
    }

    private List<ChosenToken> told() {
        return logprobs == null ? List.of() : logprobs.told();
    }

    @Override
    public boolean text(String delta) {
        answer.append(delta);
        List<ChosenToken> tokens = logprobs == null ? List.of() : logprobs.take();
        if (stream) {
            ObjectNode event = position().put("delta", delta);
            event.set("logprobs", Logprobs.list(tokens, false));
            if (!send("response.output_text.delta", event)) {
                clock.gone();
            }
        }
        return !clock.isOver();
    }

    @Override
    public void chosen(Usage used, Finish why) {
        usage = used;
        finish = why;
        ended(why);
    }

    @Override
    void whole() {
        clock.answered(usage);
        boolean whole = finish == Finish.STOP;
        if (!stream) {
            Replies.json(response, 200, object(whole ? "completed" : "incomplete"));
            return;
        }
        ObjectNode text = position().put("text", answer.toString());
        text.set("logprobs", Logprobs.list(told(), false));
        send("response.output_text.done", text);
        ObjectNode part = position();
        part.set("part", part(answer.toString(), told()));
        send("response.content_part.done", part);
        ObjectNode item = Json.object().put("output_index", 0);
        item.set("item", answered(whole));
        send("response.output_item.done", item);
        String last = whole ? "completed" : "incomplete";
        send("response." + last, Json.object().set("response", object(last)));
        events.end("");
    }

    @Override
    void sendFailure(int status, Rejection why) {
        ObjectNode failed = object("failed");
        JsonNode error = Replies.error(status, why).path("error");
        failed.putObject("error")
                .put("code", error.path("code").asText())
                .put("message", error.path("message").asText());
        send("response.failed", Json.object().set("response", failed));
    }

    private boolean send(String name, JsonNode body) {
        ObjectNode event = Json.object().put("type", name).put("sequence_number", sequence++);
        event.setAll((ObjectNode) body);
        return events.send(name, event);
    }

    private ObjectNode position() {
        return Json.object().put("item_id", itemId).put("output_index", 0).put("content_index", 0);
    }

    private ObjectNode message(String status) {
        return Json.object()
                .put("id", itemId)
                .put("type", "message")
                .put("status", status)
                .put("role", "assistant");
    }

    private ObjectNode answered(boolean whole) {
        ObjectNode item = message(whole ? "completed" : "incomplete");
        item.putArray("content").add(part(answer.toString(), told()));
        return item;
    }

    private static ObjectNode part(String text, List<ChosenToken> tokens) {
        ObjectNode part = Json.object().put("type", "output_text").put("text", text);
        part.putArray("annotations");
        part.set("logprobs", Logprobs.list(tokens, true));
        return part;
    }

    /** The response as a whole, as far as it is. */
    private ObjectNode object(String status) {
        ObjectNode node = Json.object()
                .put("id", id)
                .put("object", "response")
                .put("created_at", created)
                .put("status", status)
                .put("background", false)
                .putNull("error");
        node.putNull("incomplete_details");
        if (status.equals("incomplete")) {
            node.putObject("incomplete_details").put("reason", "max_output_tokens");
        }
        SAID_BACK.forEach(name -> node.set(
                name,
                call.body().path(name).isMissingNode() ? null : call.body().get(name)));
        if (!node.path("metadata").isObject()) {
            node.putObject("metadata");
        }
        node.put("model", model);
        node.putArray("output");
        if (status.equals("completed") || status.equals("incomplete")) {
            node.withArray("output").add(answered(status.equals("completed")));
        }
        node.put("parallel_tool_calls", true).putNull("previous_response_id");
        node.put("store", false)
                .put("temperature", call.request().sampling().temperature())
                .put("top_p", call.body().path("top_p").asDouble(1));
        node.putObject("text").putObject("format").put("type", "text");
        node.put("tool_choice", "auto").putArray("tools");
        node.put("truncation", "disabled");
        if (usage.promptTokens() > 0) {
            node.set("usage", usage());
        } else {
            node.putNull("usage");
        }
        return node;
    }

    private ObjectNode usage() {
        ObjectNode node = Json.object().put("input_tokens", usage.promptTokens());
        node.putObject("input_tokens_details").put("cached_tokens", usage.cachedTokens());
        node.put("output_tokens", usage.completionTokens());
        node.putObject("output_tokens_details").put("reasoning_tokens", 0);
        node.put("total_tokens", usage.promptTokens() + usage.completionTokens());
        return node;
    }
}
