package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A device whose orders are held, and the two things that may hold of it.
 *
 * @param restored what the backup says is desired; empty where it knew of nothing
 * @param reported what the device itself says that it serves, since the restore; empty where it has named no model yet
 */
public record HeldDevice(String device, Optional<DesiredModels> restored, Optional<Serving> reported) {
    private static final int MAX_REPORT_BYTES = 64 * 1024;

    /**
     * Models that serve, by their name with their version. Untrusted: a report is the device's own word, or, on a broker without an
     * access list, anybody's.
     *
     * @param grace of each model the older versions that answer to their pinned names for a while
     * @param drafts which model guesses for which, both of those that serve
     */
    public record Serving(
            Optional<String> byDefault,
            SortedMap<String, String> versions,
            SortedMap<String, List<GraceWish>> grace,
            SortedMap<String, String> drafts) {
        public Serving {
            drafts = Collections.unmodifiableSortedMap(new TreeMap<>(drafts));
            versions = Collections.unmodifiableSortedMap(new TreeMap<>(versions));
            grace = Collections.unmodifiableSortedMap(new TreeMap<>(grace));
        }

        /** Whether the same versions serve by the bare names. What is in its grace ends by itself, on the device first. */
        boolean agrees(Serving other) {
            return byDefault.equals(other.byDefault) && versions.equals(other.versions);
        }

        /**
         * What a report says. Empty where it names no model that serves, as at the start of an agent or while its disk refuses, or where
         * any of it cannot be read: from silence does not follow that a model is to be retired.
         */
        static Optional<Serving> of(JsonNode report) {
            SortedMap<String, String> versions = new TreeMap<>();
            SortedMap<String, List<GraceWish>> grace = new TreeMap<>();
            SortedMap<String, String> drafts = new TreeMap<>();
            Optional<String> byDefault = Optional.empty();
            for (JsonNode one : report.path("models")) {
                String model = one.path("model").asText();
                if (!ModelName.isName(model)) {
                    return Optional.empty();
                }
                // A model that is installed for the first time has no version that serves.
                if (one.has("version")) {
                    String version = one.path("version").asText();
                    if (!ModelName.isName(version) || versions.put(model, version) != null) {
                        return Optional.empty();
                    }
                    byDefault = one.path("default").asBoolean(false) ? Optional.of(model) : byDefault;
                    Optional<List<GraceWish>> older = GraceWish.reported(one.path("grace"), version);
                    if (older.isEmpty()) {
                        return Optional.empty();
                    }
                    grace.put(model, older.get());
                    String draft = one.path("draft").asText();
                    if (!draft.isEmpty() && !draft.equals(model)) {
                        drafts.put(model, draft);
                    }
                }
            }
            // It only costs time; one that does not serve is left out as a device would.
            drafts.values().removeIf(draft -> !versions.containsKey(draft));
            if (versions.isEmpty() || versions.size() > ModelName.MAX_MODELS) {
                return Optional.empty();
            }
            return Optional.of(
                    new Serving(byDefault.or(() -> Optional.of(versions.firstKey())), versions, grace, drafts));
        }

        static Serving of(DesiredModels wish) {
            SortedMap<String, String> versions = new TreeMap<>();
            SortedMap<String, List<GraceWish>> grace = new TreeMap<>();
            SortedMap<String, String> drafts = new TreeMap<>();
            wish.models().forEach((model, one) -> {
                versions.put(model, one.version());
                grace.put(model, one.grace());
                one.draft().ifPresent(draft -> drafts.put(model, draft));
            });
            return new Serving(wish.byDefault(), versions, grace, drafts);
        }

        private ObjectNode toJson() {
            ObjectNode json = Json.object().put("default", byDefault.orElse(null));
            ObjectNode models = json.putObject("models");
            versions.forEach(models::put);
            ObjectNode older = Json.object();
            grace.forEach((model, graces) -> {
                if (!graces.isEmpty()) {
                    GraceWish.into(older.putObject(model), graces);
                }
            });
            if (!older.isEmpty()) {
                json.set("older", older);
            }
            if (!drafts.isEmpty()) {
                ObjectNode guessing = json.putObject("drafts");
                drafts.forEach(guessing::put);
            }
            return json;
        }
    }

    static HeldDevice read(FleetDirectory directory, String device) throws IOException, RejectedException {
        return new HeldDevice(
                device,
                DesiredModels.read(directory, device),
                FleetDirectory.readJson(directory.report(device), MAX_REPORT_BYTES)
                        .flatMap(Serving::of));
    }

    /** Whether the device serves what the backup desires of it, as far as it says. */
    public boolean agrees() {
        return reported.isPresent()
                && restored.map(Serving::of).filter(reported.get()::agrees).isPresent();
    }

    /** What the backup says in the same form as a report. */
    public Optional<Serving> desired() {
        return restored.map(Serving::of);
    }

    /** For people's programs. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("device", device).put("agrees", agrees());
        desired().ifPresent(wish -> json.set("restored", wish.toJson()));
        reported.ifPresent(serving -> json.set("reported", serving.toJson()));
        return json;
    }
}
