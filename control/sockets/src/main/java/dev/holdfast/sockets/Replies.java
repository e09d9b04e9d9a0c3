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

/** Reads bounded bodies and writes JSON answers. */
public final class Replies {
    private Replies() {}

    /** Collects a body of at most {@code maxBytes} and hands it over on the event loop; a longer one is refused. */
    public static void body(HttpServerRequest request, int maxBytes, Consumer<byte[]> then) {
        Buffer body = Buffer.buffer();
        boolean[] over = {false};
        request.handler(part -> {
            if (over[0]) {
                return;
            }
            if (body.length() + part.length() > maxBytes) {
                over[0] = true;
                // The rest of the body is not worth reading: answer and hang up.
                request.response().putHeader("Connection", "close");
                error(request, Code.API_TOO_LARGE, "the body is longer than " + maxBytes + " bytes");
                return;
            }
            body.appendBuffer(part);
        });
        request.endHandler(end -> {
            if (!over[0]) {
                then.accept(body.getBytes());
            }
        });
    }

    public static void json(HttpServerResponse response, int status, JsonNode body) {
        if (!response.ended() && !response.closed()) {
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
        error.putNull("param");
        error.put("code", why.code().id());
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

    public static int status(Code code) {
        return switch (code) {
            case API_TOO_LARGE, WIRE_TOO_LARGE -> 413;
            case API_NOT_FOUND -> 404;
            case API_FORBIDDEN -> 403;
            case API_BUSY -> 429;
            case API_NO_MODEL -> 503;
            case API_INTERNAL -> 500;
            default -> 400;
        };
    }
}
