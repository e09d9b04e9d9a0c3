package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.util.Optional;

/**
 * A change of a serving model.
 *
 * @param pauseMicros how long no request for it could begin, rounded up
 * @param previous slot that served before, if one did
 */
public record Flip(long pauseMicros, Optional<SlotId> previous) {
    public ObjectNode toJson() {
        return Json.object()
                .put("pauseMicros", pauseMicros)
                .put("previous", previous.map(SlotId::hex).orElse(null));
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<Flip> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            return new Flip(
                    fields.integer("pauseMicros", 0),
                    fields.has("previous") ? Optional.of(fields.slotId("previous")) : Optional.empty());
        });
    }
}
