package dev.holdfast.sockets;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Refusal;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import io.netty.channel.ChannelHandlerContext;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.net.impl.ConnectionBase;
import java.time.Duration;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads bounded bodies and writes JSON answers. */
public final class Replies {
    private static final Logger LOG = LoggerFactory.getLogger(Replies.class);
    /** After what time a client may come again where nothing is known of how long that takes. */
    private static final Duration USUAL_WAIT = Duration.ofSeconds(2);

    private static final long MIN_WAIT_MILLIS = 100;
    /** Clients wait as long as they are told, and sit out what is over long before. */
    private static final long MAX_WAIT_MILLIS = 30_000;

    private static final String RETRY_AFTER = "Retry-After";

    private Replies() {}

    /**
     * Collects a body of at most {@code maxBytes} and hands it over on the event loop. A longer one is refused, and so is one for
     * which there is no room beside the bodies of others and of the same user.
     */
    public static void body(HttpServerRequest request, int maxBytes, Consumer<byte[]> then) {
        Admission.Place place = Peer.place(request.connection()).orElseThrow();
        Buffer body = Buffer.buffer();
        boolean[] over = {false};
        request.handler(part -> {
            if (over[0]) {
                return;
            }
            boolean tooLong = body.length() + part.length() > maxBytes;
            if (tooLong || !place.hold(part.length())) {
                over[0] = true;
                place.release();
                // The rest of the body is not worth reading: answer and hang up.
                request.response().putHeader("Connection", "close");
                if (tooLong) {
                    error(request, Code.API_TOO_LARGE, "the body is longer than " + maxBytes + " bytes");
                } else {
                    error(request, Code.API_BUSY, "too many bytes of bodies are being sent at the same time");
                }
                return;
            }
            body.appendBuffer(part);
        });
        request.endHandler(end -> {
            if (!over[0]) {
                place.release();
                answering(request, () -> then.accept(body.getBytes()));
            }
        });
    }

    /** Does work that answers a request; where it fails, that is the answer. */
    static void answering(HttpServerRequest request, Runnable work) {
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            // The type only: a message might quote what a user wrote.
            LOG.error("a request ended in {}", e.getClass().getName());
            error(request, Code.API_INTERNAL, e.getClass().getName());
        }
    }

    /**
     * Hangs up at once, so that an answer of which a part is missing does not look whole. What the peer has not taken is dropped: the
     * end that Vert.x gives to a connection waits for a peer that reads nothing.
     */
    public static void cut(HttpServerRequest request) {
        if (request.connection() instanceof ConnectionBase base) {
            ChannelHandlerContext flow = base.channel().pipeline().context(RequestFlow.NAME);
            if (flow != null) {
                flow.close();
            }
        }
    }

    public static void json(HttpServerResponse response, int status, JsonNode body) {
        if (!response.ended() && !response.closed()) {
            if (status == 429 && !response.headers().contains(RETRY_AFTER)) {
                retryAfter(response, USUAL_WAIT);
            }
            response.setStatusCode(status)
                    .putHeader("Content-Type", "application/json")
                    .end(Buffer.buffer(Json.write(body)));
        }
    }

    /**
     * Says in an answer that is still to be written when to come again: in whole seconds, 1 to 30, and in milliseconds, which some clients
     * prefer.
     */
    public static void retryAfter(HttpServerResponse response, Duration wait) {
        if (!response.headWritten() && !response.closed()) {
            long millis = Math.clamp(wait.toMillis(), MIN_WAIT_MILLIS, MAX_WAIT_MILLIS);
            response.putHeader(RETRY_AFTER, String.valueOf(Math.ceilDiv(millis, 1000)));
            response.putHeader("Retry-After-Ms", String.valueOf(millis));
        }
    }

    /** An error on either socket: both shapes at once, ours and OpenAI's. */
    public static void error(HttpServerRequest request, Code code, String detail) {
        error(request.response(), status(code), new Rejection(code, detail));
    }

    public static void error(HttpServerResponse response, int status, Rejection why) {
        json(response, status, error(status, why));
    }

    public static ObjectNode error(int status, Rejection why) {
        ObjectNode body = Json.object();
        ObjectNode error = body.putObject("error");
        error.put("message", why.detail());
        error.put("type", type(status));
        error.put("param", why.field().isEmpty() ? null : why.field());
        error.put("code", openAi(why));
        error.put("holdfast", why.code().id());
        body.setAll(Refusal.toJson(why));
        return body;
    }

    private static String type(int status) {
        return switch (status) {
            case 401 -> "authentication_error";
            case 403 -> "permission_error";
            case 429 -> "rate_limit_error";
            default -> status >= 500 ? "server_error" : "invalid_request_error";
        };
    }

    /** The code that clients of OpenAI know, and ours where they know none. */
    private static String openAi(Rejection why) {
        return switch (why.code()) {
            case API_UNSUPPORTED -> "unsupported_parameter";
            case API_UNKNOWN_FIELD -> "unknown_parameter";
            case WIRE_FIELD -> "invalid_value";
            case API_CONTEXT -> "context_length_exceeded";
            case API_BUSY -> "rate_limit_exceeded";
            case API_TOKEN -> "invalid_api_key";
            case API_NOT_FOUND ->
                why.field().equals("model") ? "model_not_found" : why.code().id();
            default -> why.code().id();
        };
    }

    public static int status(Code code) {
        return switch (code) {
            case API_TOO_LARGE, WIRE_TOO_LARGE -> 413;
            case API_NOT_FOUND -> 404;
            case API_TOKEN -> 401;
            case API_FORBIDDEN, API_BROWSER -> 403;
            case API_BUSY -> 429;
            case API_NO_MODEL, API_UNREACHABLE -> 503;
            case API_INTERNAL -> 500;
            case API_DEADLINE -> 504;
            default -> 400;
        };
    }
}
