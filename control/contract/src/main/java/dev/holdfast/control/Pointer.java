package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * {@code serving.json} of the model store: which models serve, and which release of each it was before. The agent replaces it in one
 * rename, the inference process reads it at its start. Immutable.
 *
 * @param byDefault the model that answers requests which name none; empty where no model is in service
 * @param models by name of the model, at most {@value ModelName#MAX_MODELS}
 * @param lease without a fresh word of the fleet service ends; reserved
 */
public record Pointer(Optional<String> byDefault, SortedMap<String, PointerEntry> models, Optional<Lease> lease) {
    public static final String FILE_NAME = "serving.json";
    /** {@value ModelName#MAX_MODELS} times two slots with their templates and gates. */
    public static final int MAX_BYTES = 16 << 20;

    /** No model in service. */
    public static final Pointer NOTHING = new Pointer(Optional.empty(), new TreeMap<>(), Optional.empty());

    private static final int FORMAT = 2;
    /** One model, which {@code serving} and {@code fallback} at the top named. */
    private static final int ONE_MODEL = 1;

    static final int MAX_LIST = 16;

    /**
     * A release that answers to its pinned name for a while.
     *
     * @param untilSeconds until when, in seconds since 1970
     */
    public record Grace(Slot slot, long untilSeconds) {
        /** Until when. */
        public Instant until() {
            return Instant.ofEpochSecond(untilSeconds);
        }

        static Grace read(JsonNode json) throws RejectedException {
            Fields fields = Fields.of(json);
            return new Grace(Slot.read(fields.object("slot").node()).orThrow(), fields.epochSeconds("until"));
        }
    }

    /**
     * Ends service where the fleet is silent.
     *
     * @param seconds how long after its last fresh word
     */
    public record Lease(long seconds) {}

    public Pointer {
        models = Collections.unmodifiableSortedMap(new TreeMap<>(models));
    }

    /** The model of this name. */
    public Optional<PointerEntry> model(String name) {
        return Optional.ofNullable(models.get(name));
    }

    /** The release of {@code name} in service. */
    public Optional<Slot> serving(String name) {
        return model(name).map(PointerEntry::serving);
    }

    /** The release of {@code name} to fall back to. */
    public Optional<Slot> fallback(String name) {
        return model(name).flatMap(PointerEntry::fallback);
    }

    /** The releases of all models in their grace, by model. */
    public Stream<Grace> grace() {
        return models.values().stream().flatMap(entry -> entry.grace().stream());
    }

    /** Every slot that this names, whatever for. */
    public Stream<Slot> slots() {
        return models.values().stream().flatMap(PointerEntry::slots);
    }

    /** The slot of this name, whatever it is here for. */
    public Optional<Slot> slot(SlotId id) {
        return slots().filter(slot -> slot.slotId().equals(id)).findFirst();
    }

    /** The same with {@code entry} for its model; the first model of all becomes the default. */
    public Pointer with(PointerEntry entry) {
        SortedMap<String, PointerEntry> changed = new TreeMap<>(models);
        changed.put(entry.serving().model(), entry);
        return new Pointer(byDefault.or(() -> Optional.of(entry.serving().model())), changed, lease);
    }

    /** The same without a model. Where it was the default, the first of those left is, until an order names another. */
    public Pointer without(String name) {
        SortedMap<String, PointerEntry> changed = new TreeMap<>(models);
        changed.remove(name);
        Optional<String> left = byDefault
                .filter(changed::containsKey)
                .or(() -> changed.isEmpty() ? Optional.empty() : Optional.of(changed.firstKey()));
        return new Pointer(left, changed, lease);
    }

    /** The same with another default, where a model of that name is in service. */
    public Pointer withDefault(String name) {
        return models.containsKey(name) ? new Pointer(Optional.of(name), models, lease) : this;
    }

    /** Which model guesses for which, by name. */
    public SortedMap<String, String> drafts() {
        SortedMap<String, String> drafts = new TreeMap<>();
        models.forEach((name, entry) -> entry.draft().ifPresent(draft -> drafts.put(name, draft)));
        return drafts;
    }

    /** The same with these drafts, as far as their models are in service, and no others. */
    public Pointer withDrafts(Map<String, String> drafts) {
        SortedMap<String, PointerEntry> changed = new TreeMap<>();
        models.forEach((name, entry) -> changed.put(name, entry.draft(Optional.ofNullable(drafts.get(name)))));
        return new Pointer(byDefault, changed, lease);
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("format", FORMAT).put("default", byDefault.orElse(null));
        ObjectNode entries = json.putObject("models");
        models.forEach((name, entry) -> entries.set(name, entry.toJson()));
        lease.ifPresent(term -> json.putObject("lease").put("seconds", term.seconds));
        return json;
    }

    /** Reads what {@link #toJson} wrote, and the format before it; refused where any slot does not read. */
    public static Verdict<Pointer> read(byte[] utf8) {
        return Verdict.of(() -> {
            Fields fields = fields(utf8);
            SortedMap<String, PointerEntry> models = new TreeMap<>();
            for (Named named : entries(fields)) {
                PointerEntry entry = PointerEntry.read(Fields.of(named.node));
                requireName(named, entry.serving());
                if (entry.fallback().isPresent()) {
                    requireName(named, entry.fallback().get());
                }
                for (Grace each : entry.grace()) {
                    requireName(named, each.slot());
                }
                models.put(entry.serving().model(), entry);
            }
            return new Pointer(byDefault(fields, models.keySet()), models, lease(fields));
        });
    }

    private static Fields fields(byte[] utf8) throws RejectedException {
        Fields fields = Fields.of(Json.readObject(utf8, MAX_BYTES).orThrow());
        fields.integer("format", ONE_MODEL, FORMAT);
        return fields;
    }

    /** An entry as it stands in the file; in the format before it had no name beside the slot's own. */
    private record Named(Optional<String> name, JsonNode node) {
        boolean names(Slot slot) {
            return name.isEmpty() || name.get().equals(slot.model());
        }
    }

    private static List<Named> entries(Fields fields) throws RejectedException {
        if (fields.integer("format", ONE_MODEL, FORMAT) == ONE_MODEL) {
            return List.of(new Named(Optional.empty(), fields.node()));
        }
        JsonNode models = fields.object("models").node();
        if (models.size() > ModelName.MAX_MODELS) {
            throw fields.wrong("models", "at most " + ModelName.MAX_MODELS + " models");
        }
        List<Named> entries = new ArrayList<>();
        for (Iterator<String> names = models.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            entries.add(new Named(Optional.of(name), models.get(name)));
        }
        return entries;
    }

    private static void requireName(Named named, Slot slot) throws RejectedException {
        if (!named.names(slot)) {
            throw Fields.of(named.node).wrong("model", "the name under which it is listed");
        }
    }

    private static Optional<String> byDefault(Fields fields, Iterable<String> names) throws RejectedException {
        String first = null;
        String wanted = fields.has("default") ? fields.modelName("default") : null;
        for (String name : names) {
            first = first == null ? name : first;
            if (name.equals(wanted)) {
                return Optional.of(name);
            }
        }
        return Optional.ofNullable(first);
    }

    private static Optional<Lease> lease(Fields fields) throws RejectedException {
        return fields.has("lease")
                ? Optional.of(new Lease(fields.object("lease").integer("seconds", 1)))
                : Optional.empty();
    }

    /**
     * What may be served of a pointer that is damaged in part.
     *
     * @param byDefault as in a whole pointer, among those that read
     * @param models of each model the slots that read, the best first
     * @param grace the releases in their grace that read, of models that are named
     * @param drafts which model guesses for which, by name, as far as that reads
     * @param damage why each of the others does not read
     */
    public record Readable(
            Optional<String> byDefault,
            SortedMap<String, List<Slot>> models,
            List<Grace> grace,
            SortedMap<String, String> drafts,
            List<String> damage) {
        public Readable {
            models = Collections.unmodifiableSortedMap(new TreeMap<>(models));
            grace = List.copyOf(grace);
            drafts = Collections.unmodifiableSortedMap(new TreeMap<>(drafts));
            damage = List.copyOf(damage);
        }
    }

    /** As {@link #read}, but a slot that does not read is left out. */
    public static Verdict<Readable> readable(byte[] utf8) {
        return Verdict.of(() -> {
            Fields fields = fields(utf8);
            SortedMap<String, List<Slot>> models = new TreeMap<>();
            List<Grace> grace = new ArrayList<>();
            SortedMap<String, String> drafts = new TreeMap<>();
            List<String> damage = new ArrayList<>();
            for (Named named : entries(fields)) {
                String label = named.name.map(name -> name + " ").orElse("");
                for (String role : List.of("serving", "fallback")) {
                    if (role.equals("fallback") && !named.node.hasNonNull(role)) {
                        continue;
                    }
                    switch (Slot.read(named.node.path(role))) {
                        case Verdict.Accepted<Slot>(Slot slot)
                        when named.names(slot) ->
                            models.computeIfAbsent(slot.model(), name -> new ArrayList<>())
                                    .add(slot);
                        case Verdict.Accepted<Slot>(Slot slot) -> damage.add(label + role + ": is of " + slot.model());
                        case Verdict.Rejected<Slot> rejected -> damage.add(label + role + ": " + rejected.reason());
                    }
                }
                readable(named, label, grace, damage);
                String draft = named.node.path("draft").asText("");
                if (named.name.isPresent() && ModelName.isName(draft)) {
                    drafts.put(named.name.get(), draft);
                }
            }
            grace.removeIf(each -> !models.containsKey(each.slot().model()));
            return new Readable(byDefault(fields, models.keySet()), models, grace, drafts, damage);
        });
    }

    private static void readable(Named named, String label, List<Grace> grace, List<String> damage) {
        JsonNode listed = named.node.path("grace");
        for (int i = 0; i < Math.min(listed.size(), MAX_LIST); i++) {
            JsonNode item = listed.path(i);
            switch (Verdict.of(() -> Grace.read(item))) {
                case Verdict.Accepted<Grace>(Grace one) when named.names(one.slot()) -> grace.add(one);
                case Verdict.Accepted<Grace>(Grace one) ->
                    damage.add(label + "grace: is of " + one.slot().model());
                case Verdict.Rejected<Grace> rejected -> damage.add(label + "grace: " + rejected.reason());
            }
        }
    }
}
