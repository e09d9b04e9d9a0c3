package dev.holdfast.inference;

import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How long a request may take from its arrival to its end, and whether anybody still waits for its answer. One that had no turn by then
 * is refused with {@code API-BUSY}; one that runs ends with {@code API-DEADLINE}. Thread-safe.
 */
final class RequestClock {
    private final Vertx vertx;
    private final Duration limit;
    private final Runnable wake;
    private final long timer;
    /** Whoever sets it has the word: the thread that begins the request, or the timer that refuses it. */
    private final AtomicBoolean taken = new AtomicBoolean();

    private volatile boolean gone;
    private volatile boolean late;

    /**
     * Starts the time of a request. Takes the response's close handler.
     *
     * @param wake run when the client is gone or the time is over, on the event loop
     */
    RequestClock(Vertx vertx, HttpServerResponse response, Duration limit, Runnable wake) {
        this.vertx = vertx;
        this.limit = limit;
        this.wake = wake;
        // First, since it throws where the response was written already, and then nothing may stay.
        response.closeHandler(closed -> {
            gone();
            wake.run();
        });
        this.timer = vertx.setTimer(limit.toMillis(), over -> expire(response));
        if (response.closed()) {
            // The handler is called when the client goes, not where it is gone.
            gone();
        }
    }

    private void expire(HttpServerResponse response) {
        if (taken.compareAndSet(false, true)) {
            gone = true;
            Replies.error(
                    response,
                    429,
                    new Rejection(
                            Code.API_BUSY, "no turn within " + limit.toSeconds() + " s: all sequences are in use"));
        } else {
            late = true;
        }
        wake.run();
    }

    /** Begins the work; false where nobody waits for it any more. */
    boolean begin() {
        return taken.compareAndSet(false, true) && !gone;
    }

    /** Nobody waits for the answer any more. */
    void gone() {
        gone = true;
        vertx.cancelTimer(timer);
    }

    /** The answer is complete: the time of this request matters no more. */
    void stop() {
        vertx.cancelTimer(timer);
    }

    boolean isGone() {
        return gone;
    }

    /** Whether the work is to end, whatever it has reached. */
    boolean isOver() {
        return gone || late;
    }

    /** Why work ended before it was done though somebody waits for it. */
    Rejection tooLate() {
        return new Rejection(
                Code.API_DEADLINE,
                "the answer was not complete after " + limit.toSeconds() + " s (max-request-seconds)");
    }
}
