package dev.holdfast.sockets;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Refusal;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads bounded bodies and writes JSON answers. */
public final class Replies {
    private static final Logger LOG = LoggerFactory.getLogger(Replies.class);
    /** After what time a client that was told to come again may do so. */
    private static final int RETRY_SECONDS = 2;

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

    public static void json(HttpServerResponse response, int status, JsonNode body) {
        if (!response.ended() && !response.closed()) {
            if (status == 429) {
                response.putHeader("Retry-After", String.valueOf(RETRY_SECONDS));
                response.putHeader("Retry-After-Ms", String.valueOf(RETRY_SECONDS * 1000));
            }
            response.setStatusCode(status)
                    .putHeader("Content-Type", "application/json")
                    .end(Buffer.buffer(Json.write(body)));
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
            case API_NOT_FOUND ->
                why.field().equals("model") ? "model_not_found" : why.code().id();
            default -> why.code().id();
        };
    }

    public static int status(Code code) {
        return switch (code) {
            case API_TOO_LARGE, WIRE_TOO_LARGE -> 413;
            case API_NOT_FOUND -> 404;
            case API_FORBIDDEN -> 403;
            case API_BUSY -> 429;
            case API_NO_MODEL -> 503;
            case API_INTERNAL -> 500;
            case API_DEADLINE -> 504;
            default -> 400;
        };
    }
}
