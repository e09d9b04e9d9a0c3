package dev.holdfast.inference;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.ChallengeReply;
import dev.holdfast.control.Challenges;
import dev.holdfast.sockets.Peer;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Local programs leave a nonce here and wait; the agent fetches it and brings evidence, which this process could not
 * forge: it has no key, and never asks the agent for anything. What came is passed on unread. Users take turns, and the agent is
 * never given more than it works on, so that one user's flood holds up no other. Bounded in number and time; nothing stays of what is
 * answered or given up. Thread-safe.
 */
final class ChallengeRelay {
    private static final long ANSWER_MILLIS = 30_000;
    private static final long COLLECT_MILLIS = 20_000;
    /** An agent that fetched a nonce and brings nothing, since it was restarted, gets others after that. */
    private static final long FETCHED_MILLIS = 10_000;

    private static final long NOBODY = -1;

    private final Vertx vertx;
    private final boolean attested;
    private final WaitingNonces waiting = new WaitingNonces();
    private final Map<Binary, List<Waiter>> asked = new HashMap<>();
    /** What the agent fetched and has not brought yet, with the timer that gives it up. */
    private final Map<Binary, Long> fetched = new HashMap<>();

    private @Nullable Collector collector;

    /** A program that waits, and the timer that ends it. */
    private record Waiter(HttpServerResponse response, long uid, long timer) {}

    private record Collector(HttpServerResponse response, long timer) {}

    ChallengeRelay(Vertx vertx) {
        this(vertx, true);
    }

    /** @param attested whether there is an agent that may bring evidence */
    ChallengeRelay(Vertx vertx, boolean attested) {
        this.vertx = vertx;
        this.attested = attested;
    }

    /** Whether there is an agent that may bring evidence of what serves. */
    boolean isAttested() {
        return attested;
    }

    /** {@code GET /v1/attestation?nonce=} on the applications' socket. */
    void ask(HttpServerRequest request) {
        if (!attested) {
            Replies.error(
                    request.response(),
                    503,
                    new Rejection(
                            Code.TEE_UNAVAILABLE,
                            "this is holdfast standalone: its model is not attested, and there is no evidence of it"));
            return;
        }
        switch (Challenges.nonce(String.valueOf(request.getParam("nonce")))) {
            case Verdict.Rejected<Binary>(Rejection why) -> Replies.error(request, why.code(), why.detail());
            case Verdict.Accepted<Binary>(Binary nonce) -> ask(request, nonce);
        }
    }

    private void ask(HttpServerRequest request, Binary nonce) {
        HttpServerResponse response = request.response();
        long uid = Peer.of(request.connection()).map(Peer::uid).orElse(NOBODY);
        // Before anything stays: it throws where the response was written, and is not called where the client is gone.
        response.closeHandler(closed -> forget(nonce, response));
        if (response.closed()) {
            return;
        }
        synchronized (this) {
            if (!waiting.enter(uid)) {
                Replies.error(
                        request, Code.API_BUSY, "too many challenges wait already; ask again when one is answered");
                return;
            }
            // What the agent fetched for a program that left meanwhile is still to come.
            if (!asked.containsKey(nonce) && !fetched.containsKey(nonce)) {
                waiting.add(uid, nonce);
            }
            long timer = vertx.setTimer(ANSWER_MILLIS, late -> expire(nonce, response));
            asked.computeIfAbsent(nonce, any -> new ArrayList<>()).add(new Waiter(response, uid, timer));
            handOver();
        }
    }

    /** {@code GET /control/v1/challenges}: answered when there is something to fetch, or after a while with nothing. */
    synchronized void collect(HttpServerRequest request) {
        HttpServerResponse now = request.response();
        now.closeHandler(closed -> leave(now));
        if (now.closed()) {
            return;
        }
        Collector before = collector;
        if (before != null && leave(before.response)) {
            Replies.json(before.response, 200, nonces(List.of()));
        }
        collector = new Collector(now, vertx.setTimer(COLLECT_MILLIS, timer -> {
            if (leave(now)) {
                Replies.json(now, 200, nonces(List.of()));
            }
        }));
        handOver();
    }

    /** Passes on what the agent brought, to every program that asked with this nonce. */
    void deliver(ChallengeReply reply) {
        List<Waiter> answers;
        synchronized (this) {
            answers = asked.remove(reply.nonce());
            waiting.drop(reply.nonce());
            if (answers != null) {
                answers.forEach(this::left);
            }
            Long timer = fetched.remove(reply.nonce());
            if (timer != null) {
                vertx.cancelTimer(timer);
            }
            handOver();
        }
        for (Waiter waiter : answers == null ? List.<Waiter>of() : answers) {
            switch (reply.evidence()) {
                case Verdict.Accepted<Binary> accepted -> Replies.json(waiter.response, 200, reply.toJson());
                case Verdict.Rejected<Binary>(Rejection why) ->
                    Replies.error(waiter.response, why.code() == Code.API_BUSY ? 429 : 503, why);
            }
        }
    }

    synchronized int waiting() {
        return waiting.taken();
    }

    private void left(Waiter waiter) {
        vertx.cancelTimer(waiter.timer);
        waiting.leave(waiter.uid);
    }

    private synchronized void handOver() {
        Collector to = collector;
        if (to == null) {
            return;
        }
        List<Binary> next = waiting.take(Challenges.MAX_HANDED_OVER - fetched.size());
        if (!next.isEmpty() && leave(to.response)) {
            for (Binary nonce : next) {
                fetched.put(nonce, vertx.setTimer(FETCHED_MILLIS, late -> giveUp(nonce)));
            }
            Replies.json(to.response, 200, nonces(next));
        }
    }

    private synchronized void giveUp(Binary nonce) {
        fetched.remove(nonce);
        handOver();
    }

    private synchronized boolean leave(HttpServerResponse one) {
        Collector here = collector;
        if (here == null || here.response != one) {
            return false;
        }
        vertx.cancelTimer(here.timer);
        collector = null;
        return true;
    }

    private void expire(Binary nonce, HttpServerResponse response) {
        if (forget(nonce, response)) {
            Replies.error(response, 503, new Rejection(Code.TEE_UNAVAILABLE, "the agent brought no evidence"));
        }
    }

    /** Also when a program hangs up: its place is free for another. */
    private synchronized boolean forget(Binary nonce, HttpServerResponse response) {
        List<Waiter> same = asked.get(nonce);
        if (same == null) {
            return false;
        }
        for (Waiter waiter : same) {
            if (waiter.response == response) {
                same.remove(waiter);
                left(waiter);
                if (same.isEmpty()) {
                    asked.remove(nonce);
                    waiting.drop(nonce);
                }
                return true;
            }
        }
        return false;
    }

    private static ObjectNode nonces(List<Binary> list) {
        return new Challenges(list).toJson();
    }
}
