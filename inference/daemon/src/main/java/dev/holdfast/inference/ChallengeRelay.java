package dev.holdfast.inference;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.ChallengeReply;
import dev.holdfast.control.Challenges;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Local programs leave a nonce here and wait; the agent fetches it and brings evidence, which this process could not
 * forge: it has no key, and never asks the agent for anything. What came is passed on unread. Bounded in number and time;
 * thread-safe.
 */
final class ChallengeRelay {
    private static final long ANSWER_MILLIS = 30_000;
    private static final long COLLECT_MILLIS = 20_000;
    private final Vertx vertx;
    private final Map<Binary, List<HttpServerResponse>> asked = new LinkedHashMap<>();
    private final List<Binary> fresh = new ArrayList<>();
    private int waiting;
    private @Nullable HttpServerResponse collector;

    ChallengeRelay(Vertx vertx) {
        this.vertx = vertx;
    }

    /** {@code GET /v1/attestation?nonce=} on the applications' socket. */
    void ask(HttpServerRequest request) {
        switch (Challenges.nonce(String.valueOf(request.getParam("nonce")))) {
            case Verdict.Rejected<Binary>(Rejection why) -> Replies.error(request, why.code(), why.detail());
            case Verdict.Accepted<Binary>(Binary nonce) -> ask(request, nonce);
        }
    }

    private void ask(HttpServerRequest request, Binary nonce) {
        HttpServerResponse response = request.response();
        synchronized (this) {
            if (waiting >= Challenges.MAX_NONCES) {
                Replies.error(request, Code.API_BUSY, Challenges.MAX_NONCES + " challenges wait already");
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

    /** Passes on what the agent brought, to every program that asked with this nonce. */
    void deliver(ChallengeReply reply) {
        List<HttpServerResponse> answers;
        synchronized (this) {
            answers = asked.remove(reply.nonce());
            fresh.remove(reply.nonce());
            waiting -= answers == null ? 0 : answers.size();
        }
        for (HttpServerResponse response : answers == null ? List.<HttpServerResponse>of() : answers) {
            switch (reply.evidence()) {
                case Verdict.Accepted<Binary> accepted -> Replies.json(response, 200, reply.toJson());
                case Verdict.Rejected<Binary>(Rejection why) ->
                    Replies.error(response, why.code() == Code.API_BUSY ? 429 : 503, why);
            }
        }
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

    private void expire(Binary nonce, HttpServerResponse response) {
        if (forget(nonce, response)) {
            Replies.error(response, 503, new Rejection(Code.TEE_UNAVAILABLE, "the agent brought no evidence"));
        }
    }

    /** Also when a program hangs up: its place is free for another. */
    private synchronized boolean forget(Binary nonce, HttpServerResponse response) {
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

    private static ObjectNode nonces(List<Binary> list) {
        return new Challenges(list).toJson();
    }
}
