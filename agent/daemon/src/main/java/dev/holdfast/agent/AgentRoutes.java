package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.agent.metrics.AgentMetrics;
import dev.holdfast.control.AgentPaths;
import dev.holdfast.control.ChallengeReply;
import dev.holdfast.control.Challenges;
import dev.holdfast.control.ReasonRequest;
import dev.holdfast.control.Refusal;
import dev.holdfast.sockets.Replies;
import dev.holdfast.storage.DiskException;
import dev.holdfast.tee.TeeException;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.util.Optional;
import java.util.SortedMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The agent's control socket, for the {@code holdfast} command. Work runs on virtual threads, never the event loop. */
final class AgentRoutes implements Handler<HttpServerRequest> {
    private static final Logger LOG = LoggerFactory.getLogger(AgentRoutes.class);

    private final QuietLog quiet = new QuietLog(LOG);
    private final AgentControl agent;
    private final BundleUpload bundles;

    AgentRoutes(AgentControl agent, Vertx vertx) {
        this.agent = agent;
        this.bundles = new BundleUpload(agent, vertx);
    }

    @Override
    public void handle(HttpServerRequest request) {
        if (AgentPaths.INSTALL.equals(request.path())) {
            bundles.handle(request);
            return;
        }
        Replies.body(
                request,
                ReasonRequest.MAX_BYTES,
                body -> Thread.ofVirtual().name("agent-control").start(() -> answer(request, body)));
    }

    private void answer(HttpServerRequest request, byte[] body) {
        try {
            if (HttpMethod.GET.equals(request.method()) && AgentPaths.METRICS.equals(request.path())) {
                String text = agent.metrics();
                request.response()
                        .putHeader("Content-Type", AgentMetrics.CONTENT_TYPE)
                        .end(text);
                return;
            }
            Replies.json(request.response(), 200, route(request, body));
        } catch (RejectedException e) {
            refuse(request, e.rejection().code() == Code.API_BUSY ? 429 : 400, e.rejection());
        } catch (TeeException e) {
            refuse(request, 503, new Rejection(e.code(), FailureText.of(e)));
        } catch (IOException e) {
            quiet.warn("control request failed", e);
            Optional<Rejection> disk = DiskException.reasonOf(e);
            refuse(
                    request,
                    disk.isPresent() ? 507 : 500,
                    disk.orElseGet(() -> new Rejection(Code.API_INTERNAL, FailureText.of(e))));
        } catch (RuntimeException | Error e) {
            quiet.warn("control request failed", e);
            refuse(request, 500, new Rejection(Code.API_INTERNAL, FailureText.of(e)));
        }
    }

    private JsonNode route(HttpServerRequest request, byte[] body) throws RejectedException, IOException, TeeException {
        String route = request.method() + " " + request.path();
        return switch (route) {
            case "GET " + AgentPaths.STATUS -> agent.status();
            case "GET " + AgentPaths.TEE -> agent.inventory();
            case "GET " + AgentPaths.HISTORY -> agent.history();
            case "GET " + AgentPaths.ATTESTATION -> evidence(String.valueOf(request.getParam(AgentPaths.NONCE)));
            case "POST " + AgentPaths.PAUSE -> pause(true, reason(body));
            case "POST " + AgentPaths.RESUME -> pause(false, reason(body));
            case "POST " + AgentPaths.ROLLBACK -> rollback(body);
            case "POST " + AgentPaths.LEAVE -> agent.leave();
            default -> throw new RejectedException(Code.API_NOT_FOUND, route);
        };
    }

    private JsonNode rollback(byte[] body) throws RejectedException, IOException {
        ReasonRequest asked = ReasonRequest.read(body).orThrow();
        return outcome(agent.rollback(asked.model(), asked.reason()));
    }

    private static String reason(byte[] body) throws RejectedException {
        return ReasonRequest.read(body).orThrow().reason();
    }

    private JsonNode pause(boolean pausing, String why) throws IOException {
        agent.pause(pausing, why);
        return Json.object().put("paused", pausing);
    }

    static ObjectNode outcome(InstallOutcome outcome) throws RejectedException {
        return switch (outcome) {
            case InstallOutcome.RolledBack(var slot, var _) ->
                Json.object().put("outcome", "rolled-back").put("from", slot.id());
            case InstallOutcome.Committed(var slot) ->
                Json.object().put("outcome", "committed").put("model", slot.id());
            case InstallOutcome.Unchanged(var slot) ->
                Json.object().put("outcome", "unchanged").put("model", slot.id());
            case InstallOutcome.Failed(Rejection reason) -> throw new RejectedException(reason);
            case InstallOutcome.Interrupted(var _, Rejection reason, var _) -> throw new RejectedException(reason);
        };
    }

    /** How a bundle ended: what is told of one model at the top, of each under {@code models}; the first failure where there is one. */
    static ObjectNode outcome(SortedMap<String, InstallOutcome> outcomes) throws RejectedException {
        ObjectNode all = Json.object().put("outcome", "unchanged");
        ArrayNode models = Json.object().putArray("models");
        for (InstallOutcome each : outcomes.values()) {
            ObjectNode one = outcome(each);
            models.add(one);
            if (models.size() == 1 || one.path("outcome").asText().equals("committed")) {
                all = one.deepCopy();
            }
        }
        all.set("models", models);
        return all;
    }

    private ObjectNode evidence(String hex) throws RejectedException, IOException, TeeException {
        Binary nonce = Challenges.nonce(hex).orThrow();
        return new ChallengeReply(nonce, Verdict.accepted(agent.evidence(nonce))).toJson();
    }

    private static void refuse(HttpServerRequest request, int status, Rejection reason) {
        Replies.json(request.response(), status, Refusal.toJson(reason));
    }
}
