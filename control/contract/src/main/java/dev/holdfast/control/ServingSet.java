package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Verdict;
import java.util.Collections;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Which models the inference process is to serve, by name. Every other is unloaded as soon as its last request ends; nothing is
 * loaded by it.
 *
 * @param byDefault the model that answers requests which name none; empty: whichever there is
 * @param models names of the models that stay
 */
public record ServingSet(Optional<String> byDefault, SortedSet<String> models) {
    public ServingSet {
        models = Collections.unmodifiableSortedSet(new TreeSet<>(models));
    }

    /** From any collection of names. */
    public ServingSet(Optional<String> byDefault, java.util.Collection<String> models) {
        this(byDefault, new TreeSet<>(models));
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("default", byDefault.orElse(null));
        ArrayNode names = json.putArray("models");
        models.forEach(names::add);
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
            Optional<String> byDefault =
                    fields.has("default") ? Optional.of(fields.modelName("default")) : Optional.empty();
            return new ServingSet(byDefault, models);
        });
    }
}
