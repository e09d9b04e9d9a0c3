package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Local programs leave a nonce here and wait; the agent fetches it and brings evidence, which this process could not
 * forge: it has no key, and never asks the agent for anything. What came is passed on unread. Bounded in number and time;
 * thread-safe.
 */
final class ChallengeRelay {
    /** Programs on one device seldom ask; more at once is a flood. */
    private static final int MAX_WAITING = 16;

    private static final long ANSWER_MILLIS = 30_000;
    private static final long COLLECT_MILLIS = 20_000;
    /** 8 to 64 bytes. */
    private static final Pattern NONCE = Pattern.compile("([0-9a-f]{2}){8,64}");

    private final Vertx vertx;
    private final Map<String, List<HttpServerResponse>> asked = new LinkedHashMap<>();
    private final List<String> fresh = new ArrayList<>();
    private int waiting;
    private @Nullable HttpServerResponse collector;

    ChallengeRelay(Vertx vertx) {
        this.vertx = vertx;
    }

    /** {@code GET /v1/attestation?nonce=} on the applications' socket. */
    void ask(HttpServerRequest request) {
        String nonce = String.valueOf(request.getParam("nonce")).toLowerCase(java.util.Locale.ROOT);
        HttpServerResponse response = request.response();
        if (!NONCE.matcher(nonce).matches()) {
            Replies.error(request, Code.WIRE_FIELD, "nonce must be 8 to 64 bytes in hexadecimal");
            return;
        }
        synchronized (this) {
            if (waiting >= MAX_WAITING) {
                Replies.error(request, Code.API_BUSY, MAX_WAITING + " challenges wait already");
                return;
            }
            waiting++;
            if (!asked.containsKey(nonce)) {
                fresh.add(nonce);
            }
            asked.computeIfAbsent(nonce, any -> new ArrayList<>()).add(response);
            handOver();
        }
        response.closeHandler(closed -> forget(nonce, response));
        vertx.setTimer(ANSWER_MILLIS, timer -> expire(nonce, response));
    }

    /** {@code GET /control/v1/challenges}: answered when there is something to fetch, or after a while with nothing. */
    synchronized void collect(HttpServerRequest request) {
        HttpServerResponse before = collector;
        if (before != null) {
            Replies.json(before, 200, nonces(List.of()));
        }
        HttpServerResponse now = request.response();
        collector = now;
        now.closeHandler(closed -> leave(now));
        handOver();
        vertx.setTimer(COLLECT_MILLIS, timer -> {
            if (leave(now)) {
                Replies.json(now, 200, nonces(List.of()));
            }
        });
    }

    /** {@code POST /control/v1/evidence}: {@code {"nonce", "evidence"}}, or {@code {"nonce", "code", "detail"}}. */
    void deliver(HttpServerRequest request, JsonNode body) {
        String nonce = body.path("nonce").asText("");
        List<HttpServerResponse> answers;
        synchronized (this) {
            answers = asked.remove(nonce);
            fresh.remove(nonce);
            waiting -= answers == null ? 0 : answers.size();
        }
        for (HttpServerResponse response : answers == null ? List.<HttpServerResponse>of() : answers) {
            if (body.path("evidence").isTextual()) {
                ObjectNode evidence = Json.object().put("nonce", nonce);
                Replies.json(
                        response,
                        200,
                        evidence.put("evidence", body.path("evidence").textValue()));
            } else {
                Code code = Code.byId(body.path("code").asText("")).orElse(Code.TEE_UNAVAILABLE);
                int status = code == Code.API_BUSY ? 429 : 503;
                Replies.error(
                        response,
                        status,
                        new Rejection(code, body.path("detail").asText("")));
            }
        }
        Replies.json(request.response(), 200, Json.object());
    }

    synchronized int waiting() {
        return waiting;
    }

    private synchronized void handOver() {
        HttpServerResponse to = collector;
        if (to != null && !fresh.isEmpty()) {
            collector = null;
            Replies.json(to, 200, nonces(fresh));
            fresh.clear();
        }
    }

    private synchronized boolean leave(HttpServerResponse one) {
        boolean here = collector == one;
        if (here) {
            collector = null;
        }
        return here;
    }

    private void expire(String nonce, HttpServerResponse response) {
        if (forget(nonce, response)) {
            Replies.error(response, 503, new Rejection(Code.TEE_UNAVAILABLE, "the agent brought no evidence"));
        }
    }

    /** Also when a program hangs up: its place is free for another. */
    private synchronized boolean forget(String nonce, HttpServerResponse response) {
        List<HttpServerResponse> same = asked.get(nonce);
        if (same == null || !same.remove(response)) {
            return false;
        }
        waiting--;
        if (same.isEmpty()) {
            asked.remove(nonce);
            fresh.remove(nonce);
        }
        return true;
    }

    private static ObjectNode nonces(List<String> list) {
        ObjectNode body = Json.object();
        ArrayNode array = body.putArray("nonces");
        list.forEach(array::add);
        return body;
    }
}
