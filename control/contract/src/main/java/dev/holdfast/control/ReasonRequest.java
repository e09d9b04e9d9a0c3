package dev.holdfast.control;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;

/**
 * Why a person asks for something.
 *
 * @param reason the person's words, for history and report; may be empty
 */
public record ReasonRequest(String reason) {
    public static final int MAX_BYTES = 4 * 1024;
    private static final int MAX_CHARS = 200;

    public ObjectNode toJson() {
        return Json.object().put("reason", reason);
    }

    /** Reads what {@link #toJson} wrote; an empty body has no reason, and no control characters stay. */
    public static Verdict<ReasonRequest> read(byte[] utf8) {
        return Verdict.of(() -> {
            if (utf8.length == 0) {
                return new ReasonRequest("");
            }
            Fields fields = Fields.of(Json.readObject(utf8, MAX_BYTES).orThrow());
            String reason = fields.has("reason") ? fields.textOrEmpty("reason", MAX_BYTES) : "";
            if (reason.length() > MAX_CHARS) {
                throw new RejectedException(Code.API_TOO_LARGE, "a reason has at most " + MAX_CHARS + " characters");
            }
            return new ReasonRequest(reason.replaceAll("\\p{Cntrl}", " ").strip());
        });
    }
}
