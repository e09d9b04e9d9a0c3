package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;

/** How a refusal is said on every control socket: {@code {"code", "detail"}}. */
public final class Refusal {
    private static final int MAX_DETAIL_CHARS = 4096;

    private Refusal() {}

    public static ObjectNode toJson(Rejection reason) {
        return put(Json.object(), reason);
    }

    static ObjectNode put(ObjectNode json, Rejection reason) {
        return json.put("code", reason.code().id()).put("detail", clipped(reason.detail(), MAX_DETAIL_CHARS));
    }

    /** Reads a refusal; {@code otherwise} where the code is absent or unknown. Never refuses: the other side is at fault already. */
    public static Rejection read(JsonNode json, Code otherwise) {
        Code code = Code.byId(json.path("code").asText("")).orElse(otherwise);
        return new Rejection(code, clipped(json.path("detail").asText("no reason was given"), MAX_DETAIL_CHARS));
    }

    static String clipped(String text, int maxChars) {
        return text.length() <= maxChars ? text : text.substring(0, maxChars);
    }
}
