package dev.holdfast.inference;

import dev.holdfast.engine.Finish;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Rejection;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;

/** Writes one answer to one client, as one JSON object or as server-sent events; what form they have is for others to say. */
abstract class AnswerReply implements AnswerListener {
    final HttpServerResponse response;
    final boolean stream;
    final EventStream events;
    final RequestClock clock;
    private boolean cut;

    AnswerReply(
            Vertx vertx,
            HttpServerResponse response,
            boolean stream,
            RequestClock.Limits limits,
            InferenceMetrics metrics) {
        this.response = response;
        this.stream = stream;
        this.events = new EventStream(vertx, response, limits.quiet());
        this.clock = new RequestClock(vertx, response, limits, events, stream, metrics);
    }

    /** Sends the event that says why there is no more of a stream. */
    abstract void sendFailure(int status, Rejection why);

    /** All choices are complete, and somebody waits for the answer. */
    abstract void whole();

    @Override
    public final boolean begin() {
        return clock.begin();
    }

    @Override
    public final boolean wanted() {
        return !clock.isGone();
    }

    @Override
    public final boolean cancelled() {
        return clock.isOver();
    }

    @Override
    public final void token(int id) {
        clock.token();
    }

    @Override
    public final void busy(Rejection why, Duration wait) {
        Replies.retryAfter(response, wait);
        failed(why);
    }

    /** Notes how a choice ended. */
    final void ended(Finish finish) {
        cut |= finish == Finish.CANCELLED;
    }

    @Override
    public final void finished() {
        clock.ended();
        if (!cut) {
            whole();
        } else if (clock.isGone()) {
            events.cut();
        } else {
            refuse(clock.tooLate());
        }
    }

    @Override
    public final void failed(Rejection why) {
        clock.ended();
        refuse(why);
    }

    private void refuse(Rejection why) {
        clock.failed(why);
        int status = Replies.status(why.code());
        if (events.leave()) {
            Replies.error(response, status, why);
        } else {
            sendFailure(status, why);
            events.end("");
        }
    }
}
