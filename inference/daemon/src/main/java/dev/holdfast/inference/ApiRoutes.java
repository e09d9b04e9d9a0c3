package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/** What applications may ask: a subset of the OpenAI wire format. Runs on the event loop and never computes there. */
final class ApiRoutes implements Handler<HttpServerRequest> {
    private static final String MODEL = "/v1/models/";
    /** A request with this header and the value 1 is refused for a field that nobody knows. */
    private static final String STRICT = "Holdfast-Strict";

    /** What answers beside the models. */
    record Parts(ChallengeRelay relay, InferenceMetrics metrics, ModelEvents events) {}

    private final Vertx vertx;
    private final ModelHost models;
    private final Parts parts;
    private volatile RequestClock.Limits limits;
    private volatile boolean strict;
    private volatile Duration longest;
    private final long startedSeconds = System.currentTimeMillis() / 1000;

    /**
     * @param limits how long a request may take
     * @param strict whether a field that nobody knows is refused
     */
    ApiRoutes(Vertx vertx, ModelHost models, Parts parts, RequestClock.Limits limits, boolean strict) {
        this.vertx = vertx;
        this.models = models;
        this.parts = parts;
        this.limits = limits;
        this.longest = limits.whole();
        this.strict = strict;
    }

    /** Holds for requests that come from now on. */
    void reconfigure(RequestClock.Limits otherLimits, boolean otherStrict) {
        limits = otherLimits;
        strict = otherStrict;
        if (otherLimits.whole().compareTo(longest) > 0) {
            longest = otherLimits.whole();
        }
    }

    /** How long a request may take that was let in at any time: those under way keep what they began with. */
    Duration longestRequest() {
        return longest;
    }

    @Override
    public void handle(HttpServerRequest request) {
        boolean get = request.method().equals(HttpMethod.GET);
        boolean post = request.method().equals(HttpMethod.POST);
        switch (request.path()) {
            case "/metrics" -> route(request, get, this::metrics);
            case "/v1/events" ->
                route(request, get, each -> parts.events.listen(each, models.serving(), models.graced()));
            case "/healthz", "/readyz" -> route(request, get, this::health);
            case "/v1/models" -> route(request, get, this::models);
            case "/v1/attestation" -> route(request, get, parts.relay::ask);
            case "/v1/chat/completions" -> route(request, post, this::chat);
            case "/v1/completions" -> route(request, post, this::complete);
            case "/v1/responses" -> route(request, post, this::respond);
            case "/v1/embeddings" -> route(request, post, this::embed);
            case String path when path.startsWith(MODEL) -> route(request, get, each -> model(each, path));
            case null, default -> Replies.error(request, Code.API_NOT_FOUND, "there is no such path");
        }
    }

    private static void route(HttpServerRequest request, boolean allowed, Handler<HttpServerRequest> then) {
        if (allowed) {
            then.handle(request);
        } else {
            Replies.error(request.response(), 405, new Rejection(Code.API_REQUEST, "method not allowed"));
        }
    }

    private void health(HttpServerRequest request) {
        Optional<Slot> byDefault = models.byDefault();
        ObjectNode body = Json.object().put("status", byDefault.isPresent() ? "ok" : "no-model");
        byDefault.ifPresent(model -> body.put("model", model.id()));
        ArrayNode ids = body.putArray("models");
        models.serving().forEach(model -> ids.add(model.id()));
        labelled(body);
        if (byDefault.isEmpty()) {
            models.loadingFor().ifPresent(wait -> Replies.retryAfter(request.response(), wait));
        }
        Replies.json(request.response(), byDefault.isPresent() ? 200 : 503, body);
    }

    /** For the operator alone: how many tokens were read tells a user about the prompts of another. */
    private void metrics(HttpServerRequest request) {
        if (Caller.isOperator(request)) {
            request.response()
                    .putHeader("Content-Type", InferenceMetrics.CONTENT_TYPE)
                    .end(parts.metrics.text());
        } else {
            Replies.error(request, Code.API_FORBIDDEN, "numbers are for root and the service's own user");
        }
    }

    private void models(HttpServerRequest request) {
        ObjectNode body = Json.object().put("object", "list");
        body.set("data", listed());
        Replies.json(request.response(), 200, body);
    }

    /** {@code GET /v1/models/ID}, where the identifier may be percent-encoded. */
    private void model(HttpServerRequest request, String path) {
        String id = decoded(path.substring(MODEL.length()));
        for (JsonNode model : listed()) {
            if (model.get("id").textValue().equals(id)) {
                Replies.json(request.response(), 200, model);
                return;
            }
        }
        // Not quoted: it may be of any length.
        Replies.error(
                request.response(),
                404,
                Rejection.ofField(Code.API_NOT_FOUND, "model", "no model of this name is in service"));
    }

    private static String decoded(String percent) {
        try {
            // A version may have a plus, which stands for itself in a path.
            return URLDecoder.decode(percent.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    /** Where no agent can prove what serves, each description of it says so. */
    private ObjectNode labelled(ObjectNode described) {
        return parts.relay.isAttested() ? described : described.put("attested", false);
    }

    /**
     * Each model under its pinned name and under the bare one; clients that take the first get the default. At the end each release that
     * answers to its pinned name alone, with the end of that.
     */
    private ArrayNode listed() {
        ArrayNode data = Json.object().putArray("data");
        Optional<String> byDefault = models.byDefault().map(Slot::model);
        for (Slot model : models.serving()) {
            for (String id : List.of(model.id(), model.model())) {
                describe(data.addObject(), id, model).put("default", byDefault.equals(Optional.of(model.model())));
            }
        }
        for (Pointer.Grace each : models.graced()) {
            describe(data.addObject(), each.slot().id(), each.slot())
                    .put("default", false)
                    .put("until", each.untilSeconds());
        }
        return data;
    }

    private ObjectNode describe(ObjectNode node, String id, Slot model) {
        return labelled(node.put("id", id)
                .put("object", "model")
                .put("created", startedSeconds)
                .put("owned_by", "holdfast")
                .put("system_fingerprint", model.fingerprint()));
    }

    private void chat(HttpServerRequest request) {
        read(request, ChatCall::read, call -> answer(request, ChatReply.Shape.CHAT, call));
    }

    private void complete(HttpServerRequest request) {
        read(request, ChatCall::readPlain, call -> answer(request, ChatReply.Shape.TEXT, call));
    }

    private void answer(HttpServerRequest request, ChatReply.Shape shape, ChatCall call) {
        models.chat(
                call.model(),
                call.requests(),
                Caller.of(request),
                new ChatReply(vertx, request.response(), shape, call, limits, parts.metrics));
    }

    private void respond(HttpServerRequest request) {
        read(
                request,
                ResponsesCall::read,
                call -> models.chat(
                        call.model(),
                        List.of(call.request()),
                        Caller.of(request),
                        new ResponsesReply(vertx, request.response(), call, limits, parts.metrics)));
    }

    private void embed(HttpServerRequest request) {
        read(
                request,
                EmbeddingCall::read,
                call -> models.embed(
                        call.model(),
                        call.texts(),
                        Caller.of(request),
                        new EmbeddingReply(vertx, request.response(), call, limits, parts.metrics)));
    }

    /** Reads a body, and tells of the fields in it that nobody knows, or refuses them. */
    private <T extends ApiCall> void read(
            HttpServerRequest request, Function<byte[], Verdict<T>> reading, Consumer<T> then) {
        boolean isStrict = strict || "1".equals(request.getHeader(STRICT));
        boolean isOperator = Caller.isOperator(request);
        Replies.body(request, ChatCall.MAX_BODY_BYTES, body -> {
            Verdict<T> verdict = reading.apply(body).then(call -> permitted(call, isStrict, isOperator));
            switch (verdict) {
                case Verdict.Rejected<T>(Rejection why) -> {
                    parts.metrics.rejected(why.code());
                    Replies.error(request.response(), Replies.status(why.code()), why);
                }
                case Verdict.Accepted<T>(T call) -> {
                    if (!call.ignored().isEmpty()) {
                        parts.metrics.ignored();
                        request.response()
                                .putHeader(IgnoredFields.HEADER, call.ignored().header());
                    }
                    then.accept(call);
                }
            }
        });
    }

    private static <T extends ApiCall> Verdict<T> permitted(T call, boolean strict, boolean operator) {
        Optional<Rejection> unknown = call.ignored().refusal().filter(why -> strict);
        Optional<Rejection> forbidden =
                call.reserved().filter(field -> !operator).map(ApiRoutes::forbidden);
        return unknown.or(() -> forbidden)
                .<Verdict<T>>map(Verdict.Rejected::new)
                .orElseGet(() -> Verdict.accepted(call));
    }

    private static Rejection forbidden(String field) {
        return Rejection.ofField(
                Code.API_FORBIDDEN,
                field,
                field + ": log-probabilities give the model away, and are for root and the service's own user");
    }
}
