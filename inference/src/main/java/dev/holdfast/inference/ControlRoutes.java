package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import io.vertx.core.Handler;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the agent may ask: load a candidate, flip to it, drop it. Changes run one after the other on one thread of their
 * own; {@code status} answers at any time.
 */
final class ControlRoutes implements Handler<HttpServerRequest>, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ControlRoutes.class);
    /** A slot with 256 canaries fits. */
    private static final int MAX_BODY_BYTES = 1 << 20;

    /** Evidence in hexadecimal. */
    private static final int MAX_EVIDENCE_BYTES = 4 << 20;

    private static final int MAX_WAITING = 4;

    private final Engine engine;
    private final ChallengeRelay relay;
    private final Supplier<List<String>> recentLines;
    private final long startedAtMillis = System.currentTimeMillis();
    private final ThreadPoolExecutor changes =
            new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new ArrayBlockingQueue<>(MAX_WAITING), task -> {
                Thread thread = new Thread(task, "holdfast-control");
                thread.setDaemon(true);
                return thread;
            });

    ControlRoutes(Engine engine, ChallengeRelay relay, Supplier<List<String>> recentLines) {
        this.engine = engine;
        this.relay = relay;
        this.recentLines = recentLines;
    }

    @Override
    public void handle(HttpServerRequest request) {
        String path = request.path() == null ? "" : request.path();
        if (path.equals("/control/v1/status") && request.method().equals(HttpMethod.GET)) {
            Replies.json(request.response(), 200, status());
            return;
        }
        if (path.equals("/control/v1/log") && request.method().equals(HttpMethod.GET)) {
            ObjectNode body = Json.object();
            ArrayNode lines = body.putArray("lines");
            recentLines.get().forEach(lines::add);
            Replies.json(request.response(), 200, body);
            return;
        }
        if (path.equals("/control/v1/challenges") && request.method().equals(HttpMethod.GET)) {
            relay.collect(request);
            return;
        }
        if (path.equals("/control/v1/evidence") && request.method().equals(HttpMethod.POST)) {
            Replies.body(request, MAX_EVIDENCE_BYTES, body -> {
                switch (Json.readObject(body, MAX_EVIDENCE_BYTES)) {
                    case Verdict.Rejected<JsonNode>(Rejection reason) -> refuse(request, 400, reason);
                    case Verdict.Accepted<JsonNode>(JsonNode evidence) -> relay.deliver(request, evidence);
                }
            });
            return;
        }
        boolean known = Set.of("/control/v1/candidate", "/control/v1/flip", "/control/v1/discard")
                .contains(path);
        if (!known || !request.method().equals(HttpMethod.POST)) {
            refuse(request, 404, new Rejection(Code.API_NOT_FOUND, "there is no such path"));
            return;
        }
        Replies.body(request, MAX_BODY_BYTES, body -> {
            try {
                changes.execute(() -> change(request, path, body));
            } catch (RejectedExecutionException e) {
                refuse(request, 429, new Rejection(Code.API_BUSY, "other changes wait already"));
            }
        });
    }

    private void change(HttpServerRequest request, String path, byte[] body) {
        try {
            JsonNode node = Json.readObject(body, MAX_BODY_BYTES).orThrow();
            switch (path) {
                case "/control/v1/candidate" -> candidate(request, node);
                case "/control/v1/flip" -> flip(request, new Fields(node).digest("digest"));
                default -> {
                    engine.discard(new Fields(node).digest("digest"));
                    Replies.json(request.response(), 200, Json.object());
                }
            }
        } catch (RejectedException e) {
            refuse(request, Replies.status(e.rejection().code()), e.rejection());
        } catch (RuntimeException e) {
            LOG.error("{} failed", path, e);
            refuse(request, 500, new Rejection(Code.API_INTERNAL, e.toString()));
        }
    }

    private void candidate(HttpServerRequest request, JsonNode node) throws RejectedException {
        SlotDescription slot = SlotDescription.read(node).orThrow();
        GateReport report = engine.loadCandidate(slot);
        ObjectNode body = Json.object();
        body.put("passed", report.passed());
        report.failure().ifPresent(why -> {
            LOG.warn("candidate {} refused: {}", slot.id(), why);
            body.put("code", why.code().id());
            body.put("detail", why.detail());
        });
        body.put("loadMillis", report.loadMillis());
        ArrayNode checks = body.putArray("checks");
        for (GateReport.Check check : report.checks()) {
            ObjectNode one = checks.addObject();
            one.put("name", check.name());
            one.put("passed", check.passed());
            one.put("detail", check.detail());
        }
        Replies.json(request.response(), report.passed() ? 200 : 422, body);
    }

    private void flip(HttpServerRequest request, Sha256 digest) {
        switch (engine.flip(digest)) {
            case Verdict.Rejected<Flip>(Rejection why) -> refuse(request, 409, why);
            case Verdict.Accepted<Flip>(Flip flip) -> {
                LOG.info("serving {} after a pause of {} us", digest, flip.pauseMicros());
                ObjectNode body = Json.object();
                body.put("pauseMicros", flip.pauseMicros());
                body.put("previous", flip.previous().map(Sha256::hex).orElse(null));
                Replies.json(request.response(), 200, body);
            }
        }
    }

    private ObjectNode status() {
        EngineStatus status = engine.status();
        ObjectNode body = Json.object();
        body.set("serving", slot(status.serving(), status.servingTokenizer()));
        body.set("candidate", slot(status.candidate(), status.candidateTokenizer()));
        body.put("draining", status.draining());
        body.put("requestsActive", status.requestsActive());
        body.put("startedAtMillis", startedAtMillis);
        body.put("pid", ProcessHandle.current().pid());
        return body;
    }

    private static JsonNode slot(Optional<SlotDescription> slot, Optional<Sha256> tokenizer) {
        if (slot.isEmpty()) {
            return Json.object().nullNode();
        }
        ObjectNode one = Json.object();
        one.put("model", slot.get().model());
        one.put("version", slot.get().version());
        one.put("digest", slot.get().digest().hex());
        tokenizer.ifPresent(digest -> one.put("tokenizer", digest.hex()));
        return one;
    }

    private static void refuse(HttpServerRequest request, int status, Rejection why) {
        ObjectNode body = Json.object();
        body.put("code", why.code().id());
        body.put("detail", why.detail());
        Replies.json(request.response(), status, body);
    }

    @Override
    public void close() {
        changes.shutdownNow();
    }
}
