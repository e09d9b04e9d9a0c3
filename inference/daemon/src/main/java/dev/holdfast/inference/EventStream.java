package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Server-sent events to one client. It runs at most {@link #WINDOW} events ahead of what the socket has taken; then the thread that
 * sends waits. A client that takes nothing for {@link #STALL_SECONDS} loses its answer, because it holds a sequence that others wait for.
 * While there is nothing to send, comments show that the server is there. Thread-safe, for one sender.
 */
final class EventStream {
    private static final int WINDOW = 32;
    private static final int STALL_SECONDS = 20;
    private static final byte[] DATA = "data: ".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] END_OF_EVENT = "\n\n".getBytes(StandardCharsets.US_ASCII);

    private final Vertx vertx;
    private final HttpServerResponse response;
    private final long quietMillis;
    private final Semaphore window = new Semaphore(WINDOW);
    private volatile long sentAtMillis;
    private long comments = -1;
    private boolean over;
    /** Whether something is missing of what was to be sent. */
    private volatile boolean broken;

    /** @param quiet after so long without an event a comment is sent */
    EventStream(Vertx vertx, HttpServerResponse response, Duration quiet) {
        this.vertx = vertx;
        this.quietMillis = quiet.toMillis();
        this.response = response;
    }

    /** Writes the head, once. From then on the status of the answer is 200, and what fails is an event. */
    synchronized void open() {
        if (comments < 0 && !over) {
            response.putHeader("Content-Type", "text/event-stream");
            response.putHeader("Cache-Control", "no-store");
            response.setChunked(true);
            sentAtMillis = System.currentTimeMillis();
            comments = vertx.setPeriodic(quietMillis / 2 + 1, tick -> comment());
        }
    }

    /** True where no head was written; then none will be, and the caller answers by the response itself. */
    synchronized boolean leave() {
        if (comments >= 0) {
            return false;
        }
        over = true;
        return true;
    }

    /** Begins with a comment, for a client that waits for its turn. */
    synchronized void showLife() {
        open();
        write();
    }

    private synchronized void comment() {
        if (System.currentTimeMillis() - sentAtMillis >= quietMillis) {
            write();
        }
    }

    private void write() {
        if (!over && !response.closed()) {
            sentAtMillis = System.currentTimeMillis();
            response.write(": waiting\n\n");
        }
    }

    /** Sends an event; false where the client takes none any more. */
    boolean send(JsonNode event) {
        return send("", event);
    }

    /** @param name of the event; empty for none */
    boolean send(String name, JsonNode event) {
        try {
            if (!window.tryAcquire(STALL_SECONDS, TimeUnit.SECONDS)) {
                broken = true;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            broken = true;
        }
        if (broken) {
            return false;
        }
        return write(Buffer.buffer(), name, event);
    }

    private boolean write(Buffer frame, String name, JsonNode event) {
        if (!name.isEmpty()) {
            frame.appendString("event: ").appendString(name).appendString("\n");
        }
        frame.appendBytes(DATA).appendBytes(Json.write(event)).appendBytes(END_OF_EVENT);
        synchronized (this) {
            if (over || response.closed()) {
                return false;
            }
            sentAtMillis = System.currentTimeMillis();
            response.write(frame).onComplete(done -> window.release());
        }
        return true;
    }

    /** Sends an event that has a number where the client takes it at once; never waits. */
    boolean offer(String name, long number, JsonNode event) {
        if (!window.tryAcquire()) {
            broken = true;
            return false;
        }
        return write(Buffer.buffer("id: " + number + "\n"), name, event);
    }

    /** Lets a sender go on that waits for the client. */
    void wake() {
        window.release(WINDOW);
    }

    /** The whole answer is sent; where an event got lost, the client is told by a connection that breaks. */
    void end(String last) {
        if (broken) {
            cut();
        } else if (finish() && !response.closed()) {
            response.end(last);
        }
    }

    /** Hangs up: an answer that was cut must not look like a whole one. */
    void cut() {
        if (finish() && !response.closed()) {
            response.reset();
        }
    }

    private synchronized boolean finish() {
        if (comments >= 0) {
            vertx.cancelTimer(comments);
        }
        boolean first = !over;
        over = true;
        return first;
    }
}
