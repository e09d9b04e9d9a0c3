package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.util.Collection;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Which models the inference process is to serve, by name. Every other is unloaded as soon as its last request ends; nothing is
 * loaded by it.
 *
 * @param byDefault the model that answers requests which name none; empty: whichever there is
 * @param models names of the models that stay
 * @param grace releases that stay under their pinned names, each until a time in seconds since 1970: they are not unloaded when
 *     another release takes their place; at most {@value ModelName#MAX_GRACED}
 * @param drafts of models the names of smaller ones that guess what they will say; at most {@value ModelName#MAX_MODELS}
 */
public record ServingSet(
        Optional<String> byDefault, SortedSet<String> models, Map<SlotId, Long> grace, Map<String, String> drafts) {
    public ServingSet {
        models = Collections.unmodifiableSortedSet(new TreeSet<>(models));
        grace = Collections.unmodifiableMap(new LinkedHashMap<>(grace));
        drafts = Map.copyOf(drafts);
    }

    /** Nobody guesses. */
    public ServingSet(Optional<String> byDefault, SortedSet<String> models, Map<SlotId, Long> grace) {
        this(byDefault, models, grace, Map.of());
    }

    /** From any collection of names; no release is in its grace. */
    public ServingSet(Optional<String> byDefault, Collection<String> models) {
        this(byDefault, new TreeSet<>(models), Map.of());
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("default", byDefault.orElse(null));
        ArrayNode names = json.putArray("models");
        models.forEach(names::add);
        ArrayNode staying = json.putArray("grace");
        grace.forEach(
                (slot, until) -> staying.addObject().put("slot", slot.hex()).put("until", until));
        ObjectNode guessing = json.putObject("drafts");
        new TreeMap<>(drafts).forEach(guessing::put);
        return json;
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<ServingSet> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            SortedSet<String> models = new TreeSet<>();
            for (JsonNode name : fields.array("models", ModelName.MAX_MODELS)) {
                if (!name.isTextual() || !ModelName.isName(name.textValue())) {
                    throw fields.wrong("models", "names of models");
                }
                models.add(name.textValue());
            }
            Map<SlotId, Long> grace = new LinkedHashMap<>();
            if (fields.has("grace")) {
                for (JsonNode item : fields.array("grace", ModelName.MAX_GRACED)) {
                    Fields one = Fields.of(item);
                    grace.put(one.slotId("slot"), one.epochSeconds("until"));
                }
            }
            Optional<String> byDefault =
                    fields.has("default") ? Optional.of(fields.modelName("default")) : Optional.empty();
            return new ServingSet(byDefault, models, grace, drafts(fields));
        });
    }

    private static Map<String, String> drafts(Fields fields) throws RejectedException {
        Map<String, String> drafts = new TreeMap<>();
        if (fields.has("drafts")) {
            Fields named = fields.object("drafts");
            if (named.node().size() > ModelName.MAX_MODELS) {
                throw fields.wrong("drafts", "of at most " + ModelName.MAX_MODELS + " models");
            }
            for (Iterator<String> names = named.node().fieldNames(); names.hasNext(); ) {
                String name = names.next();
                if (!ModelName.isName(name)) {
                    throw fields.wrong("drafts", "names of models");
                }
                drafts.put(name, named.modelName(name));
            }
        }
        return drafts;
    }
}
