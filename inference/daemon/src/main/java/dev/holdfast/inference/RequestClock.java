package dev.holdfast.inference;

import dev.holdfast.engine.Usage;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How long a request may take, and whether anybody still waits for its answer. One that had no turn in time is refused with
 * {@code API-BUSY}; one that runs ends with {@code API-DEADLINE}. Where the engine does not end it, the connection is. Thread-safe.
 */
final class RequestClock {
    /**
     * How long parts of a request may take.
     *
     * @param whole from its arrival to its end
     * @param first from its arrival to the first text
     * @param gap between two texts
     * @param quiet that a stream says nothing; then it shows that it is there, so that nobody takes the connection for dead
     */
    record Limits(Duration whole, Duration first, Duration gap, Duration quiet) {
        static final Duration QUIET = Duration.ofSeconds(10);

        /** Each part as long as the whole. */
        static Limits of(Duration whole) {
            return new Limits(whole, whole, whole, QUIET);
        }
    }

    /** How long the engine may take to notice that an answer is over: it looks after each step. */
    private static final Duration LAST_STEP = Duration.ofSeconds(10);

    private final Vertx vertx;
    private final HttpServerResponse response;
    private final Limits limits;
    private final EventStream events;
    private final InferenceMetrics metrics;
    private final long arrivedAtNanos = System.nanoTime();
    /** Whoever sets it has the word: the thread that begins the request, or the timer that refuses it. */
    private final AtomicBoolean taken = new AtomicBoolean();

    // Of the thread that makes the answer.
    private String model = "";
    private int tokens;

    private volatile long timer;
    private volatile long showLife = -1;
    private volatile long beganAtNanos;
    private volatile long firstAtNanos;
    private volatile long progressAtNanos;
    private volatile boolean gone;
    private volatile boolean stopped;
    private volatile String late = "";

    /**
     * Starts the time of a request. Takes the response's close handler.
     *
     * @param events woken when the time is over, and ended when the client is gone
     * @param stream whether the answer comes as events
     */
    RequestClock(
            Vertx vertx,
            HttpServerResponse response,
            Limits limits,
            EventStream events,
            boolean stream,
            InferenceMetrics metrics) {
        this.vertx = vertx;
        this.metrics = metrics;
        this.response = response;
        this.limits = limits;
        this.events = events;
        // First, since it throws where the response was written already, and then nothing may stay.
        response.closeHandler(closed -> {
            gone();
            // Also where it had no turn and nobody else ends it.
            events.cut();
            events.wake();
        });
        if (stream) {
            showLife = vertx.setTimer(limits.quiet.toMillis(), quiet -> events.showLife());
        }
        arm();
        if (response.closed()) {
            // The handler is called when the client goes, not where it is gone.
            gone();
        }
    }

    private void arm() {
        long now = System.nanoTime();
        long whole = arrivedAtNanos + limits.whole.toNanos() - now;
        long part = progressAtNanos == 0
                ? arrivedAtNanos + limits.first.toNanos() - now
                : progressAtNanos + limits.gap.toNanos() - now;
        // Also where it has not begun: when it does, the gap counts, and nobody arms the timer anew.
        long next = Math.min(Math.min(whole, part), limits.gap.toNanos());
        timer = vertx.setTimer(Math.max(1, next / 1_000_000 + 1), over -> look());
        if (stopped) {
            vertx.cancelTimer(timer);
        }
    }

    private void look() {
        long now = System.nanoTime();
        long progress = progressAtNanos;
        if (now - arrivedAtNanos >= limits.whole.toNanos()) {
            expire("the answer was not complete after " + limits.whole.toSeconds() + " s (max-request-seconds)");
        } else if (progress == 0 && now - arrivedAtNanos >= limits.first.toNanos()) {
            expire("the answer had not begun after " + limits.first.toSeconds() + " s (max-first-token-seconds)");
        } else if (progress != 0 && now - progress >= limits.gap.toNanos()) {
            expire("the answer stood still for " + limits.gap.toSeconds() + " s (max-gap-seconds)");
        } else {
            arm();
        }
    }

    private void expire(String why) {
        if (taken.compareAndSet(false, true)) {
            gone = true;
            Duration waited = limits.first.compareTo(limits.whole) < 0 ? limits.first : limits.whole;
            Rejection busy = new Rejection(
                    Code.API_BUSY, "no turn within " + waited.toSeconds() + " s: all sequences are in use");
            failed(busy);
            Replies.retryAfter(response, waited);
            int status = Replies.status(busy.code());
            if (events.leave()) {
                Replies.error(response, status, busy);
            } else {
                events.send(Replies.error(status, busy));
                events.end("");
            }
        } else {
            late = why;
            timer = vertx.setTimer(LAST_STEP.toMillis(), stuck -> {
                if (!stopped) {
                    gone = true;
                    response.reset();
                }
            });
        }
        events.wake();
    }

    /** Begins the work; false where nobody waits for it any more. */
    boolean begin() {
        beganAtNanos = System.nanoTime();
        return taken.compareAndSet(false, true) && !gone;
    }

    /** The answer begins, or has more. */
    void progress() {
        long now = System.nanoTime();
        if (firstAtNanos == 0) {
            firstAtNanos = now;
        }
        progressAtNanos = now;
        if (showLife >= 0) {
            vertx.cancelTimer(showLife);
        }
    }

    /** A token of the answer was chosen. */
    void token() {
        tokens++;
        progress();
    }

    /** Which model makes the answer. */
    void pinned(String name) {
        model = name;
    }

    /** The answer is whole; {@code usage} says what it took. */
    void answered(Usage usage) {
        stop();
        metrics.queued(model, beganAtNanos - arrivedAtNanos);
        metrics.answered(
                model,
                usage,
                firstAtNanos == 0 ? 0 : firstAtNanos - arrivedAtNanos,
                System.nanoTime() - arrivedAtNanos);
    }

    /** There is no answer, or no whole one. */
    void failed(Rejection why) {
        stop();
        metrics.rejected(why.code());
    }

    /** Nothing more is made of the answer, whole or not. */
    void ended() {
        if (tokens > 0) {
            metrics.generated(model, tokens);
        }
    }

    /** Nobody waits for the answer any more. */
    void gone() {
        gone = true;
        stop();
    }

    /** The answer is complete: the time of this request matters no more. */
    void stop() {
        stopped = true;
        vertx.cancelTimer(timer);
        if (showLife >= 0) {
            vertx.cancelTimer(showLife);
        }
    }

    boolean isGone() {
        return gone;
    }

    /** Whether the work is to end, whatever it has reached. */
    boolean isOver() {
        return gone || !late.isEmpty();
    }

    /** Why work ended before it was done though somebody waits for it. */
    Rejection tooLate() {
        return new Rejection(Code.API_DEADLINE, late);
    }
}
