package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * {@code serving.json} of the model store: which model serves, and which one it was before. The agent writes it, the
 * inference process reads it at its start.
 *
 * @param serving the model in service
 * @param fallback the verified model before it, where there is one
 */
public record Pointer(Slot serving, Optional<Slot> fallback) {
    public static final String FILE_NAME = "serving.json";
    /** Two slots with their templates and gates. */
    public static final int MAX_BYTES = 4 << 20;

    private static final int FORMAT = 1;

    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("format", FORMAT);
        json.set("serving", serving.toJson());
        if (fallback.isPresent()) {
            json.set("fallback", fallback.get().toJson());
        } else {
            json.putNull("fallback");
        }
        return json;
    }

    /** Reads what {@link #toJson} wrote; refused where either slot does not read. */
    public static Verdict<Pointer> read(byte[] utf8) {
        return Verdict.of(() -> {
            Fields fields = fields(utf8);
            Slot slot = Slot.read(fields.object("serving").node()).orThrow();
            Optional<Slot> fallback = fields.has("fallback")
                    ? Optional.of(Slot.read(fields.object("fallback").node()).orThrow())
                    : Optional.empty();
            return new Pointer(slot, fallback);
        });
    }

    private static Fields fields(byte[] utf8) throws RejectedException {
        Fields fields = Fields.of(Json.readObject(utf8, MAX_BYTES).orThrow());
        fields.integer("format", FORMAT, FORMAT);
        return fields;
    }

    /**
     * What may be served of a pointer that is damaged in part.
     *
     * @param slots the slots that read, the best first
     * @param damage why each of the others does not read
     */
    public record Readable(List<Slot> slots, List<String> damage) {
        public Readable {
            slots = List.copyOf(slots);
            damage = List.copyOf(damage);
        }
    }

    /** As {@link #read}, but a slot that does not read is left out. */
    public static Verdict<Readable> readable(byte[] utf8) {
        return Verdict.of(() -> {
            JsonNode node = fields(utf8).node();
            List<Slot> slots = new ArrayList<>();
            List<String> damage = new ArrayList<>();
            for (String name : List.of("serving", "fallback")) {
                if (!node.hasNonNull(name)) {
                    continue;
                }
                switch (Slot.read(node.get(name))) {
                    case Verdict.Accepted<Slot>(Slot slot) -> slots.add(slot);
                    case Verdict.Rejected<Slot> rejected -> damage.add(name + ": " + rejected.reason());
                }
            }
            return new Readable(slots, damage);
        });
    }
}
