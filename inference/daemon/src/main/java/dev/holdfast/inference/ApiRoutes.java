package dev.holdfast.inference;

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
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.util.Optional;

/** What applications may ask: a subset of the OpenAI wire format. Runs on the event loop and never computes there. */
final class ApiRoutes implements Handler<HttpServerRequest> {
    private final ModelHost engine;
    private final ChallengeRelay relay;
    private final long startedSeconds = System.currentTimeMillis() / 1000;

    ApiRoutes(ModelHost engine, ChallengeRelay relay) {
        this.engine = engine;
        this.relay = relay;
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
        Optional<Slot> serving = engine.serving();
        ObjectNode body = Json.object();
        body.put("status", serving.isPresent() ? "ok" : "no-model");
        serving.ifPresent(model -> body.put("model", model.id()));
        Replies.json(request.response(), serving.isPresent() ? 200 : 503, body);
    }

    private void models(HttpServerRequest request) {
        ObjectNode body = Json.object();
        body.put("object", "list");
        ArrayNode data = body.putArray("data");
        engine.serving().ifPresent(model -> {
            ObjectNode one = data.addObject();
            one.put("id", model.id());
            one.put("object", "model");
            one.put("created", startedSeconds);
            one.put("owned_by", "holdfast");
            one.put("system_fingerprint", model.fingerprint());
        });
        Replies.json(request.response(), 200, body);
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
                engine.chat(
                        call.model(),
                        call.request(),
                        Peer.of(request.connection()).map(Peer::uid),
                        new ChatReply(request.response(), shape, call.stream(), call.includeUsage()));
        }
    }

    private void embed(HttpServerRequest request) {
        Replies.body(request, EmbeddingCall.MAX_BODY_BYTES, body -> {
            switch (EmbeddingCall.read(body)) {
                case Verdict.Rejected<EmbeddingCall>(Rejection why) ->
                    Replies.error(request.response(), Replies.status(why.code()), why);
                case Verdict.Accepted<EmbeddingCall>(EmbeddingCall call) ->
                    engine.embed(call.model(), call.texts(), verdict -> {
                        switch (verdict) {
                            case Verdict.Rejected<ModelHost.Embeddings>(Rejection why) ->
                                Replies.error(request.response(), Replies.status(why.code()), why);
                            case Verdict.Accepted<ModelHost.Embeddings>(ModelHost.Embeddings embeddings) ->
                                Replies.json(request.response(), 200, call.reply(embeddings));
                        }
                    });
            }
        });
    }
}
