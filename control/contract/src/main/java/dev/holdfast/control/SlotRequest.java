package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;

/** Names a release of a model by its slot. */
public record SlotRequest(SlotId slot) {
    public ObjectNode toJson() {
        return Json.object().put("slot", slot.hex());
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<SlotRequest> read(JsonNode json) {
        return Verdict.of(() -> new SlotRequest(Fields.of(json).slotId("slot")));
    }
}
