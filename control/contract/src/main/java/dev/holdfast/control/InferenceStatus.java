package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What the inference process says of itself.
 *
 * @param byDefault the model that answers requests which name none
 * @param serving the models that answer requests, one of each name
 * @param candidates the models that are loaded beside them, at most one of each name
 * @param grace the releases that answer to their pinned names alone, at most {@value ModelName#MAX_GRACED}
 * @param draining models that only finish the requests which began on them
 * @param requestsActive answers in the making
 * @param memory what the models take
 * @param process which process says so
 */
public record InferenceStatus(
        Optional<String> byDefault,
        List<Loaded> serving,
        List<Loaded> candidates,
        List<Loaded> grace,
        int draining,
        int requestsActive,
        Memory memory,
        Process process) {
    /**
     * A model that the process has mapped.
     *
     * @param slot what it was told to load
     * @param digest of the bytes that it mapped
     * @param tokenizer digest of what the file says of its tokenizer
     */
    public record Loaded(String model, String version, SlotId slot, Sha256 digest, Optional<Sha256> tokenizer) {
        private ObjectNode toJson() {
            ObjectNode json = Json.object()
                    .put("model", model)
                    .put("version", version)
                    .put("slot", slot.hex())
                    .put("digest", digest.hex());
            tokenizer.ifPresent(known -> json.put("tokenizer", known.hex()));
            return json;
        }

        private static Loaded read(Fields fields) throws RejectedException {
            return new Loaded(
                    fields.modelName("model"),
                    fields.modelName("version"),
                    fields.slotId("slot"),
                    fields.sha256("digest"),
                    fields.has("tokenizer") ? Optional.of(fields.sha256("tokenizer")) : Optional.empty());
        }
    }

    /**
     * Memory of all models together.
     *
     * @param usedBytes what the models that are loaded may come to take
     * @param budgetBytes what all of them may
     */
    public record Memory(long usedBytes, long budgetBytes) {}

    /**
     * A process; another value means another process.
     *
     * @param startedAtMillis when it began
     * @param pid its number
     */
    public record Process(long startedAtMillis, long pid) {}

    public InferenceStatus {
        serving = List.copyOf(serving);
        candidates = List.copyOf(candidates);
        grace = List.copyOf(grace);
    }

    /** No release is in its grace. */
    public InferenceStatus(
            Optional<String> byDefault,
            List<Loaded> serving,
            List<Loaded> candidates,
            int draining,
            int requestsActive,
            Memory memory,
            Process process) {
        this(byDefault, serving, candidates, List.of(), draining, requestsActive, memory, process);
    }

    /** Whether this slot serves. */
    public boolean serves(SlotId slot) {
        return serving.stream().anyMatch(loaded -> loaded.slot().equals(slot));
    }

    /** Whether this slot is loaded beside the serving ones. */
    public boolean holds(SlotId slot) {
        return candidates.stream().anyMatch(loaded -> loaded.slot().equals(slot));
    }

    /** Whether this slot answers to its pinned name alone. */
    public boolean graces(SlotId slot) {
        return grace.stream().anyMatch(loaded -> loaded.slot().equals(slot));
    }

    /** What serves under this name. */
    public Optional<Loaded> serving(String model) {
        return serving.stream().filter(loaded -> loaded.model().equals(model)).findFirst();
    }

    /** Whatever is loaded of this slot. */
    public Optional<Loaded> loaded(SlotId slot) {
        return Stream.of(serving, candidates, grace)
                .flatMap(List::stream)
                .filter(loaded -> loaded.slot().equals(slot))
                .findFirst();
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("default", byDefault.orElse(null));
        put(json.putArray("serving"), serving);
        put(json.putArray("candidates"), candidates);
        put(json.putArray("grace"), grace);
        json.put("draining", draining).put("requestsActive", requestsActive);
        json.putObject("memory").put("usedBytes", memory.usedBytes).put("budgetBytes", memory.budgetBytes);
        return json.put("startedAtMillis", process.startedAtMillis).put("pid", process.pid);
    }

    private static void put(ArrayNode list, List<Loaded> models) {
        models.forEach(model -> list.add(model.toJson()));
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<InferenceStatus> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            Fields memory = fields.object("memory");
            return new InferenceStatus(
                    fields.has("default") ? Optional.of(fields.modelName("default")) : Optional.empty(),
                    models(fields, "serving"),
                    models(fields, "candidates"),
                    grace(fields),
                    (int) fields.integer("draining", 0, Integer.MAX_VALUE),
                    (int) fields.integer("requestsActive", 0, Integer.MAX_VALUE),
                    new Memory(memory.integer("usedBytes", 0), memory.integer("budgetBytes", 0)),
                    new Process(fields.integer("startedAtMillis", 0), fields.integer("pid", 0)));
        });
    }

    /** Of a process of the time before there was any, none. */
    private static List<Loaded> grace(Fields fields) throws RejectedException {
        List<Loaded> models = new ArrayList<>();
        Set<SlotId> slots = new HashSet<>();
        for (JsonNode item : fields.has("grace") ? fields.array("grace", ModelName.MAX_GRACED) : List.<JsonNode>of()) {
            Loaded model = Loaded.read(Fields.of(item));
            if (!slots.add(model.slot())) {
                throw fields.wrong("grace", "each slot once");
            }
            models.add(model);
        }
        return models;
    }

    private static List<Loaded> models(Fields fields, String name) throws RejectedException {
        List<Loaded> models = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (JsonNode item : fields.array(name, ModelName.MAX_MODELS)) {
            Loaded model = Loaded.read(Fields.of(item));
            if (!names.add(model.model())) {
                throw fields.wrong(name, "one model of each name");
            }
            models.add(model);
        }
        return models;
    }
}
