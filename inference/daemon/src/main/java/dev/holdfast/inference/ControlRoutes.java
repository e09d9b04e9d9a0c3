package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.ChallengeReply;
import dev.holdfast.control.DigestRequest;
import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferencePaths;
import dev.holdfast.control.LogLines;
import dev.holdfast.control.Refusal;
import dev.holdfast.control.Slot;
import dev.holdfast.sockets.Replies;
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

    private static final int MAX_WAITING = 4;

    private final ModelHost engine;
    private final ChallengeRelay relay;
    private final Supplier<List<String>> recentLines;
    private final ThreadPoolExecutor changes =
            new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new ArrayBlockingQueue<>(MAX_WAITING), task -> {
                Thread thread = new Thread(task, "holdfast-control");
                thread.setDaemon(true);
                return thread;
            });

    ControlRoutes(ModelHost engine, ChallengeRelay relay, Supplier<List<String>> recentLines) {
        this.engine = engine;
        this.relay = relay;
        this.recentLines = recentLines;
    }

    @Override
    public void handle(HttpServerRequest request) {
        String path = request.path() == null ? "" : request.path();
        HttpMethod expected = switch (path) {
            case InferencePaths.STATUS, InferencePaths.LOG, InferencePaths.CHALLENGES -> HttpMethod.GET;
            case InferencePaths.CANDIDATE, InferencePaths.FLIP, InferencePaths.DISCARD, InferencePaths.EVIDENCE ->
                HttpMethod.POST;
            default -> null;
        };
        if (!request.method().equals(expected)) {
            refuse(request, 404, new Rejection(Code.API_NOT_FOUND, "there is no such path"));
            return;
        }
        switch (path) {
            case InferencePaths.STATUS ->
                Replies.json(request.response(), 200, engine.status().toJson());
            case InferencePaths.LOG -> Replies.json(request.response(), 200, new LogLines(recentLines.get()).toJson());
            case InferencePaths.CHALLENGES -> relay.collect(request);
            case InferencePaths.EVIDENCE ->
                Replies.body(request, ChallengeReply.MAX_BYTES, body -> evidence(request, body));
            default -> Replies.body(request, MAX_BODY_BYTES, body -> enqueue(request, path, body));
        }
    }

    private void evidence(HttpServerRequest request, byte[] body) {
        switch (Json.readObject(body, ChallengeReply.MAX_BYTES).then(ChallengeReply::read)) {
            case Verdict.Rejected<ChallengeReply>(Rejection reason) -> refuse(request, 400, reason);
            case Verdict.Accepted<ChallengeReply>(ChallengeReply reply) -> {
                relay.deliver(reply);
                Replies.json(request.response(), 200, Json.object());
            }
        }
    }

    private void enqueue(HttpServerRequest request, String path, byte[] body) {
        try {
            changes.execute(() -> change(request, path, body));
        } catch (RejectedExecutionException e) {
            refuse(request, 429, new Rejection(Code.API_BUSY, "other changes wait already"));
        }
    }

    private void change(HttpServerRequest request, String path, byte[] body) {
        try {
            JsonNode node = Json.readObject(body, MAX_BODY_BYTES).orThrow();
            switch (path) {
                case InferencePaths.CANDIDATE ->
                    candidate(request, Slot.read(node).orThrow());
                case InferencePaths.FLIP ->
                    flip(request, DigestRequest.read(node).orThrow().digest());
                default -> {
                    engine.discard(DigestRequest.read(node).orThrow().digest());
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

    private void candidate(HttpServerRequest request, Slot slot) {
        GateReport report = engine.loadCandidate(slot);
        report.failure().ifPresent(why -> LOG.warn("candidate {} refused: {}", slot.id(), why));
        Replies.json(request.response(), report.passed() ? 200 : 422, report.toJson());
    }

    private void flip(HttpServerRequest request, Sha256 digest) {
        switch (engine.flip(digest)) {
            case Verdict.Rejected<Flip>(Rejection why) -> refuse(request, 409, why);
            case Verdict.Accepted<Flip>(Flip flip) -> {
                LOG.info("serving {} after a pause of {} us", digest, flip.pauseMicros());
                Replies.json(request.response(), 200, flip.toJson());
            }
        }
    }

    private static void refuse(HttpServerRequest request, int status, Rejection why) {
        Replies.json(request.response(), status, Refusal.toJson(why));
    }

    @Override
    public void close() {
        changes.shutdownNow();
    }
}
