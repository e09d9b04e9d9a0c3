package dev.holdfast.control;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.Optional;

/**
 * Why a person asks for something.
 *
 * @param reason the person's words, for history and report; may be empty
 * @param model the model that it is about; the default one, or all, where empty
 */
public record ReasonRequest(String reason, Optional<String> model) {
    public static final int MAX_BYTES = 4 * 1024;
    private static final int MAX_CHARS = 200;

    /** About no model in particular. */
    public ReasonRequest(String reason) {
        this(reason, Optional.empty());
    }

    public ObjectNode toJson() {
        return Json.object().put("reason", reason).put("model", model.orElse(null));
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
            Optional<String> model = fields.has("model") ? Optional.of(fields.modelName("model")) : Optional.empty();
            return new ReasonRequest(reason.replaceAll("\\p{Cntrl}", " ").strip(), model);
        });
    }
}
