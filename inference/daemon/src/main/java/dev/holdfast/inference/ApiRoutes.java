package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.sockets.Peer;
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

/** What applications may ask: a subset of the OpenAI wire format. Runs on the event loop and never computes there. */
final class ApiRoutes implements Handler<HttpServerRequest> {
    private static final String MODEL = "/v1/models/";

    private final Vertx vertx;
    private final ModelHost models;
    private final ChallengeRelay relay;
    private final Duration requestLimit;
    private final long startedSeconds = System.currentTimeMillis() / 1000;

    /** @param requestLimit how long a request may take */
    ApiRoutes(Vertx vertx, ModelHost models, ChallengeRelay relay, Duration requestLimit) {
        this.vertx = vertx;
        this.models = models;
        this.relay = relay;
        this.requestLimit = requestLimit;
    }

    @Override
    public void handle(HttpServerRequest request) {
        boolean get = request.method().equals(HttpMethod.GET);
        boolean post = request.method().equals(HttpMethod.POST);
        switch (request.path()) {
            case "/healthz" -> route(request, get, this::health);
            case "/v1/models" -> route(request, get, this::models);
            case "/v1/attestation" -> route(request, get, relay::ask);
            case "/v1/chat/completions" -> route(request, post, this::chat);
            case "/v1/completions" -> route(request, post, this::complete);
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
        Replies.json(request.response(), byDefault.isPresent() ? 200 : 503, body);
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
        Replies.error(request, Code.API_NOT_FOUND, "no model of this name is in service");
    }

    private static String decoded(String percent) {
        try {
            // A version may have a plus, which stands for itself in a path.
            return URLDecoder.decode(percent.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    /** Each model under its pinned name and under the bare one; clients that take the first get the default. */
    private ArrayNode listed() {
        ArrayNode data = Json.object().putArray("data");
        Optional<String> byDefault = models.byDefault().map(Slot::model);
        for (Slot model : models.serving()) {
            for (String id : List.of(model.id(), model.model())) {
                data.addObject()
                        .put("id", id)
                        .put("object", "model")
                        .put("created", startedSeconds)
                        .put("owned_by", "holdfast")
                        .put("system_fingerprint", model.fingerprint())
                        .put("default", byDefault.equals(Optional.of(model.model())));
            }
        }
        return data;
    }

    private void chat(HttpServerRequest request) {
        Replies.body(
                request, ChatCall.MAX_BODY_BYTES, body -> answer(request, ChatReply.Shape.CHAT, ChatCall.read(body)));
    }

    private void complete(HttpServerRequest request) {
        Replies.body(
                request,
                ChatCall.MAX_BODY_BYTES,
                body -> answer(request, ChatReply.Shape.TEXT, ChatCall.readPlain(body)));
    }

    private void answer(HttpServerRequest request, ChatReply.Shape shape, Verdict<ChatCall> verdict) {
        switch (verdict) {
            case Verdict.Rejected<ChatCall>(Rejection why) ->
                Replies.error(request.response(), Replies.status(why.code()), why);
            case Verdict.Accepted<ChatCall>(ChatCall call) ->
                models.chat(
                        call.model(),
                        call.request(),
                        Caller.of(Peer.of(request.connection())),
                        new ChatReply(
                                vertx, request.response(), shape, call.stream(), call.includeUsage(), requestLimit));
        }
    }

    private void embed(HttpServerRequest request) {
        Replies.body(request, EmbeddingCall.MAX_BODY_BYTES, body -> {
            switch (EmbeddingCall.read(body)) {
                case Verdict.Rejected<EmbeddingCall>(Rejection why) ->
                    Replies.error(request.response(), Replies.status(why.code()), why);
                case Verdict.Accepted<EmbeddingCall>(EmbeddingCall call) ->
                    models.embed(
                            call.model(),
                            call.texts(),
                            Caller.of(Peer.of(request.connection())),
                            new EmbeddingReply(vertx, request.response(), call, requestLimit));
            }
        });
    }
}
