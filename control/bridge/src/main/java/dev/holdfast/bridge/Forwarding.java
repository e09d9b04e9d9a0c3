package dev.holdfast.bridge;

import dev.holdfast.control.InferencePaths;
import dev.holdfast.sockets.Replies;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Rejection;
import io.vertx.core.Future;
import io.vertx.core.MultiMap;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One request on its way to the inference process, and the answer on its way back. The answer is passed on as it comes, as far as the
 * client takes it. It ends downstream as it ends upstream: whole, or by a connection that breaks. Whoever of the two sides goes first
 * ends the other. Belongs to the event loop.
 */
final class Forwarding {
    /** All that the API reads. The token stays here, and so does what speaks of the connection: Connection, Upgrade, HTTP2-Settings. */
    private static final List<String> ASKED = List.of("Content-Type", "Accept", "Holdfast-Strict", "Last-Event-ID");
    /** What speaks of the connection to the inference process (RFC 9110, section 7.6.1). */
    private static final Set<String> OF_THE_CONNECTION =
            Set.of("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade");
    /** Headers of CORS. The API sends none; if it ever does, they are not for the bridge's callers. */
    private static final String CORS = "access-control-";

    private final Vertx vertx;
    private final HttpServerRequest request;
    private final HttpServerResponse response;
    private final Duration stall;
    private final Runnable ended;
    private @Nullable HttpClientRequest question;
    private @Nullable Long stalled;
    private boolean over;

    /**
     * @param stall how long the client may take nothing while bytes wait for it
     * @param ended is run once, when nothing of this request is under way any more
     */
    Forwarding(Vertx vertx, HttpServerRequest request, Duration stall, Runnable ended) {
        this.vertx = vertx;
        this.request = request;
        this.response = request.response();
        this.stall = stall;
        this.ended = ended;
    }

    /** @param connecting to the inference process, a request without headers and body */
    void begin(Future<HttpClientRequest> connecting, byte[] body) {
        response.closeHandler(gone -> {
            if (end()) {
                giveUp();
            }
        });
        connecting
                .onSuccess(connected -> {
                    question = connected;
                    if (over) {
                        giveUp();
                    } else {
                        ask(connected, body);
                    }
                })
                .onFailure(this::fail);
    }

    private void ask(HttpClientRequest question, byte[] body) {
        for (String name : ASKED) {
            String value = request.getHeader(name);
            if (value != null) {
                question.putHeader(name, value);
            }
        }
        question.putHeader(InferencePaths.OF_THE_BRIDGE, "1");
        boolean post = request.method().equals(HttpMethod.POST);
        (post ? question.send(Buffer.buffer(body)) : question.send())
                .onSuccess(this::answer)
                .onFailure(this::fail);
    }

    private void answer(HttpClientResponse answer) {
        answer.exceptionHandler(this::fail);
        if (over) {
            return;
        }
        boolean chunked = answer.headers().contains(HttpHeaders.TRANSFER_ENCODING, HttpHeaders.CHUNKED, true);
        if (!chunked && !answer.headers().contains(HttpHeaders.CONTENT_LENGTH)) {
            fail(new IllegalStateException("an answer that does not say where it ends"));
            return;
        }
        response.setStatusCode(answer.statusCode()).setChunked(chunked);
        copy(answer.headers(), response.headers());
        answer.handler(part -> pass(answer, part));
        answer.endHandler(whole -> {
            if (end()) {
                response.end();
            }
        });
    }

    private static void copy(MultiMap from, MultiMap to) {
        from.forEach((name, value) -> {
            String lower = name.toLowerCase(Locale.ROOT);
            if (!OF_THE_CONNECTION.contains(lower) && !lower.startsWith(CORS)) {
                to.add(name, value);
            }
        });
    }

    private void pass(HttpClientResponse answer, Buffer part) {
        if (over) {
            return;
        }
        response.write(part);
        if (response.writeQueueFull() && stalled == null) {
            answer.pause();
            stalled = vertx.setTimer(
                    stall.toMillis(), late -> fail(new IllegalStateException("the client takes nothing")));
            response.drainHandler(drained -> {
                if (!over) {
                    going();
                    answer.resume();
                }
            });
        }
    }

    private void going() {
        if (stalled != null) {
            vertx.cancelTimer(stalled);
            stalled = null;
        }
    }

    /** True for whoever ends it; there is one end. */
    private boolean end() {
        if (over) {
            return false;
        }
        over = true;
        going();
        ended.run();
        return true;
    }

    private void giveUp() {
        if (question != null) {
            question.reset();
        }
    }

    private void fail(Throwable why) {
        if (!end()) {
            return;
        }
        giveUp();
        if (response.headWritten()) {
            Replies.cut(request);
        } else {
            response.headers().clear();
            response.setChunked(false);
            Rejection rejection = new Rejection(
                    Code.API_UNREACHABLE, "the inference process gave no whole answer: " + FailureText.of(why));
            Replies.error(response, Replies.status(rejection.code()), rejection);
        }
    }
}
