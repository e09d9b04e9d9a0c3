package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.TeeException;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The agent's control socket, for the {@code holdfast} command. Work runs on virtual threads, never the event loop. */
final class AgentRoutes implements Handler<HttpServerRequest> {
    private static final Logger LOG = LoggerFactory.getLogger(AgentRoutes.class);
    private static final int MAX_BODY_BYTES = 4 * 1024;
    private static final int MAX_REASON_CHARS = 200;

    private final AgentDaemon agent;
    private final BundleDesk bundles;

    AgentRoutes(AgentDaemon agent, Vertx vertx) {
        this.agent = agent;
        this.bundles = new BundleDesk(agent, vertx);
    }

    @Override
    public void handle(HttpServerRequest request) {
        if (BundleDesk.PATH.equals(request.path())) {
            bundles.handle(request);
            return;
        }
        Buffer body = Buffer.buffer();
        request.handler(part -> {
            if (body.length() + part.length() <= MAX_BODY_BYTES + 1) {
                body.appendBuffer(part);
            }
        });
        request.endHandler(end -> Thread.ofVirtual().name("agent-control").start(() -> answer(request, body)));
    }

    private void answer(HttpServerRequest request, Buffer body) {
        try {
            String route = request.method() + " " + request.path();
            reply(
                    request,
                    200,
                    route.equals("GET /v1/attestation") ? evidence(request.getParam("nonce")) : route(route, body));
        } catch (RejectedException e) {
            refuse(request, e.rejection().code() == Code.API_BUSY ? 429 : 400, e.rejection());
        } catch (TeeException e) {
            refuse(request, 503, new Rejection(e.code(), String.valueOf(e.getMessage())));
        } catch (IOException | RuntimeException e) {
            LOG.warn("control request failed", e);
            refuse(request, 500, new Rejection(Code.API_INTERNAL, String.valueOf(e.getMessage())));
        }
    }

    private JsonNode route(String route, Buffer body) throws RejectedException, IOException, TeeException {
        return switch (route) {
            case "GET /v1/status" -> agent.status();
            case "GET /v1/tee" -> RootOfTrust.inventory(agent.bridge());
            case "GET /v1/history" -> agent.history();
            case "POST /v1/pause" -> pause(true, reason(body));
            case "POST /v1/resume" -> pause(false, reason(body));
            case "POST /v1/rollback" -> outcome(agent.rollback(reason(body)));
            case "POST /v1/attest" -> attest(body);
            default -> throw new RejectedException(Code.API_NOT_FOUND, route);
        };
    }

    /** The caller's words, for history and report; an empty body has none. */
    private static String reason(Buffer body) throws RejectedException {
        if (body.length() == 0) {
            return "";
        }
        String reason = Json.readObject(body.getBytes(), MAX_BODY_BYTES)
                .orThrow()
                .path("reason")
                .asText("");
        if (reason.length() > MAX_REASON_CHARS) {
            throw new RejectedException(Code.API_TOO_LARGE, "a reason has at most " + MAX_REASON_CHARS + " characters");
        }
        return reason.replaceAll("\\p{Cntrl}", " ").strip();
    }

    private JsonNode pause(boolean pausing, String why) throws IOException {
        agent.pause(pausing, why);
        return Json.object().put("paused", pausing);
    }

    static ObjectNode outcome(InstallOutcome outcome) throws RejectedException {
        return switch (outcome) {
            case InstallOutcome.RolledBack(var slot, var _) ->
                Json.object().put("outcome", "rolled-back").put("from", slot.model() + "@" + slot.version());
            case InstallOutcome.Committed(var slot) ->
                Json.object().put("outcome", "committed").put("model", slot.model() + "@" + slot.version());
            case InstallOutcome.Unchanged(var slot) ->
                Json.object().put("outcome", "unchanged").put("model", slot.model() + "@" + slot.version());
            case InstallOutcome.Failed(Rejection reason) -> throw new RejectedException(reason);
            case InstallOutcome.Interrupted(var _, Rejection reason) -> throw new RejectedException(reason);
        };
    }

    private JsonNode attest(Buffer body) throws RejectedException, IOException, TeeException {
        JsonNode request = Json.readObject(body.getBytes(), MAX_BODY_BYTES).orThrow();
        ObjectNode answer = evidence(request.path("nonce").asText(""));
        var quoter = agent.bridge().quoter();
        if (quoter.isPresent()) {
            answer.put(
                    "attestation_key",
                    Binary.copyOf(quoter.get().attestationKey().getEncoded()).hex());
        }
        return answer;
    }

    private ObjectNode evidence(@Nullable String hex) throws RejectedException, IOException, TeeException {
        Binary nonce = Binary.fromHex(hex == null ? "" : hex).orThrow();
        return Json.object()
                .put("nonce", nonce.hex())
                .put("evidence", Binary.copyOf(agent.attest(nonce)).hex());
    }

    private static void refuse(HttpServerRequest request, int status, Rejection reason) {
        reply(request, status, Json.object().put("code", reason.code().id()).put("detail", reason.detail()));
    }

    private static void reply(HttpServerRequest request, int status, JsonNode body) {
        request.response()
                .setStatusCode(status)
                .putHeader("content-type", "application/json")
                .end(Buffer.buffer(Json.write(body)));
    }
}
