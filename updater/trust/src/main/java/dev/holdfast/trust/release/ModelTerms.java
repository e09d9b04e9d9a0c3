package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What an order says of one model beside its target: the value under the model's name in {@code models}.
 *
 * @param target path of the release that shall serve
 * @param byDefault whether it answers requests that name no model
 * @param since number of the order that said so of this model first, which names the wish across later orders that change another
 *     model; 0 for the order's own number
 * @param rollout when and at what cost it may be taken; at once where empty
 * @param grace older releases that still answer to their pinned names for a while, each of them once and none the target
 * @param draft target path of a smaller model of the same vocabulary that may guess ahead: the target of another model of the order,
 *     or passed over
 * @param adapters target paths of what is to be applied to the model; this version refuses a model that has any
 * @param key how to read a sealed model; this version refuses a model that has one
 */
public record ModelTerms(
        String target,
        boolean byDefault,
        long since,
        Optional<Rollout> rollout,
        List<Grace> grace,
        Optional<String> draft,
        List<String> adapters,
        Optional<JsonNode> key) {
    /** Of adapters, and of releases in their grace. */
    public static final int MAX_LIST = 16;

    /**
     * An older release that stays for a while.
     *
     * @param target its path
     * @param untilSeconds until when, in seconds since 1970
     */
    public record Grace(String target, long untilSeconds) {}

    public ModelTerms {
        grace = List.copyOf(grace);
        adapters = List.copyOf(adapters);
        key = key.map(JsonNode::deepCopy);
    }

    /** No terms but a rollout's, since the order itself. */
    public ModelTerms(String target, boolean byDefault, Optional<Rollout> rollout) {
        this(target, byDefault, 0, rollout, List.of(), Optional.empty(), List.of(), Optional.empty());
    }

    /** The same with older releases that stay for a while. */
    public ModelTerms grace(List<Grace> stay) {
        return new ModelTerms(target, byDefault, since, rollout, stay, draft, adapters, key);
    }

    /** The same with a model that guesses ahead. */
    public ModelTerms draft(String path) {
        return new ModelTerms(target, byDefault, since, rollout, grace, Optional.of(path), adapters, key);
    }

    /** The same, said since the order of this number. */
    public ModelTerms since(long order) {
        return new ModelTerms(target, byDefault, order, rollout, grace, draft, adapters, key);
    }

    /** The same without terms of a rollout. */
    ModelTerms atOnce() {
        return new ModelTerms(target, byDefault, since, Optional.empty(), grace, draft, adapters, key);
    }

    /** Every target that the order must list for it: {@code target} and whatever is named beside it. */
    List<String> targets() {
        List<String> all = new ArrayList<>(List.of(target));
        grace.forEach(each -> all.add(each.target));
        draft.ifPresent(all::add);
        all.addAll(adapters);
        return all;
    }

    /** The object, as {@link #read} reads it. */
    ObjectNode toJson() {
        ObjectNode json = Json.object().put("target", target);
        if (byDefault) {
            json.put("default", true);
        }
        if (since > 0) {
            json.put("since", since);
        }
        rollout.ifPresent(terms -> json.set(Rollout.FIELD, terms.toJson()));
        if (!grace.isEmpty()) {
            ArrayNode list = json.putArray("grace");
            grace.forEach(each -> list.addObject().put("target", each.target).put("until", each.untilSeconds));
        }
        draft.ifPresent(path -> json.put("draft", path));
        if (!adapters.isEmpty()) {
            adapters.forEach(json.putArray("adapters")::add);
        }
        key.ifPresent(wrapped -> json.set("key", wrapped));
        return json;
    }

    /** Reads the object; {@code UPD-FORMAT}. What it does not know, it ignores. */
    static ModelTerms read(Fields fields) throws RejectedException {
        List<Grace> grace = new ArrayList<>();
        for (JsonNode item : list(fields, "grace")) {
            Fields one = Fields.of(item, Code.UPD_FORMAT);
            grace.add(new Grace(path(one, "target"), one.epochSeconds("until")));
        }
        List<String> adapters = new ArrayList<>();
        for (JsonNode item : list(fields, "adapters")) {
            adapters.add(path(Fields.of(Json.object().set("adapters", item), Code.UPD_FORMAT), "adapters"));
        }
        return new ModelTerms(
                path(fields, "target"),
                fields.flagOr("default", false),
                fields.integerOr("since", 1, Long.MAX_VALUE, 0),
                fields.has(Rollout.FIELD) ? Optional.of(Rollout.of(fields.object(Rollout.FIELD))) : Optional.empty(),
                grace,
                fields.has("draft") ? Optional.of(path(fields, "draft")) : Optional.empty(),
                adapters,
                fields.has("key") ? Optional.of(fields.object("key").node()) : Optional.empty());
    }

    private static String path(Fields fields, String name) throws RejectedException {
        return fields.text(name, ModelName.MAX_TARGET_CHARS);
    }

    private static List<JsonNode> list(Fields fields, String name) throws RejectedException {
        return fields.has(name) ? fields.array(name, MAX_LIST) : List.of();
    }
}
