package dev.holdfast.inference;

import dev.holdfast.engine.Usage;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.Optional;

/** Writes the vectors of one request to one client, who may leave, and may not wait for ever. */
final class EmbeddingReply implements EmbeddingListener {
    private final HttpServerResponse response;
    private final EmbeddingCall call;
    private final RequestClock clock;

    EmbeddingReply(
            Vertx vertx,
            HttpServerResponse response,
            EmbeddingCall call,
            RequestClock.Limits limits,
            InferenceMetrics metrics) {
        this.response = response;
        this.call = call;
        this.clock = new RequestClock(
                vertx, response, limits, new EventStream(vertx, response, limits.quiet()), false, metrics);
    }

    @Override
    public boolean begin() {
        return clock.begin();
    }

    @Override
    public boolean wanted() {
        return !clock.isGone();
    }

    @Override
    public Optional<Rejection> over() {
        if (clock.isGone()) {
            return Optional.of(new Rejection(Code.API_REQUEST, "the client hung up"));
        }
        clock.progress();
        return clock.isOver() ? Optional.of(clock.tooLate()) : Optional.empty();
    }

    @Override
    public void busy(Rejection why, Duration wait) {
        Replies.retryAfter(response, wait);
        done(new Verdict.Rejected<>(why));
    }

    @Override
    public void done(Verdict<Embeddings> outcome) {
        switch (outcome) {
            case Verdict.Rejected<Embeddings>(Rejection why) -> {
                clock.failed(why);
                Replies.error(response, Replies.status(why.code()), why);
            }
            case Verdict.Accepted<Embeddings>(Embeddings embeddings) -> {
                clock.pinned(embeddings.model().model());
                clock.answered(new Usage(embeddings.tokens(), 0, 0));
                Replies.json(response, 200, call.reply(embeddings));
            }
        }
    }
}
