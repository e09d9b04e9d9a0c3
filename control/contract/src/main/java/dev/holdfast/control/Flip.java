package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.Optional;

/**
 * A change of the serving model.
 *
 * @param pauseMicros how long no request could begin, rounded up
 * @param previous digest of the model that served before, if one did
 */
public record Flip(long pauseMicros, Optional<Sha256> previous) {
    public ObjectNode toJson() {
        return Json.object()
                .put("pauseMicros", pauseMicros)
                .put("previous", previous.map(Sha256::hex).orElse(null));
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<Flip> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            return new Flip(
                    fields.integer("pauseMicros", 0),
                    fields.has("previous") ? Optional.of(fields.sha256("previous")) : Optional.empty());
        });
    }
}
