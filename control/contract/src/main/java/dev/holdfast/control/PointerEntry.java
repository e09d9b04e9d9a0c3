package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * One model in service, of a {@link Pointer}.
 *
 * @param serving the release in service
 * @param fallback the verified release before it, where there is one
 * @param grace releases that answer to their pinned names until a time, whichever one is in service; what is in service may be
 *     among them
 * @param draft the name of another model, which guesses what this one will say
 * @param adapters what is applied to the model; reserved
 */
public record PointerEntry(
        Slot serving, Optional<Slot> fallback, List<Pointer.Grace> grace, Optional<String> draft, List<Slot> adapters) {
    public PointerEntry {
        grace = List.copyOf(grace);
        adapters = List.copyOf(adapters);
    }

    public PointerEntry(Slot serving, Optional<Slot> fallback) {
        this(serving, fallback, List.of(), Optional.empty(), List.of());
    }

    /** The same with another release in service. */
    public PointerEntry serving(Slot other, Optional<Slot> before) {
        return new PointerEntry(other, before, grace, draft, adapters);
    }

    /** The same with other releases in their grace. */
    public PointerEntry grace(List<Pointer.Grace> others) {
        return new PointerEntry(serving, fallback, others, draft, adapters);
    }

    /** The same with another model that guesses. */
    PointerEntry draft(Optional<String> name) {
        return new PointerEntry(serving, fallback, grace, name, adapters);
    }

    /** The slots that name files of the store. */
    Stream<Slot> slots() {
        return Stream.of(
                        Stream.of(serving),
                        fallback.stream(),
                        grace.stream().map(Pointer.Grace::slot),
                        adapters.stream())
                .flatMap(each -> each);
    }

    ObjectNode toJson() {
        ObjectNode json = Json.object();
        json.set("serving", serving.toJson());
        fallback.ifPresentOrElse(slot -> json.set("fallback", slot.toJson()), () -> json.putNull("fallback"));
        ArrayNode listed = json.putArray("grace");
        for (Pointer.Grace each : grace) {
            listed.addObject()
                    .put("until", each.untilSeconds())
                    .set("slot", each.slot().toJson());
        }
        draft.ifPresent(name -> json.put("draft", name));
        ArrayNode applied = json.putArray("adapters");
        adapters.forEach(each -> applied.add(each.toJson()));
        return json;
    }

    static PointerEntry read(Fields fields) throws RejectedException {
        List<Pointer.Grace> grace = new ArrayList<>();
        for (JsonNode item : fields.has("grace") ? fields.array("grace", Pointer.MAX_LIST) : List.<JsonNode>of()) {
            grace.add(Pointer.Grace.read(item));
        }
        List<Slot> adapters = new ArrayList<>();
        for (JsonNode item :
                fields.has("adapters") ? fields.array("adapters", Pointer.MAX_LIST) : List.<JsonNode>of()) {
            adapters.add(Slot.read(item).orThrow());
        }
        Optional<Slot> fallback = fields.has("fallback")
                ? Optional.of(Slot.read(fields.object("fallback").node()).orThrow())
                : Optional.empty();
        Optional<String> draft = fields.has("draft") ? Optional.of(fields.modelName("draft")) : Optional.empty();
        return new PointerEntry(Slot.read(fields.object("serving").node()).orThrow(), fallback, grace, draft, adapters);
    }
}
