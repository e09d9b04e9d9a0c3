package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.Optional;

/**
 * What the inference process says of itself.
 *
 * @param serving the model that answers requests
 * @param candidate the model that is loaded beside it
 * @param draining models that only finish the requests which began on them
 * @param requestsActive answers in the making
 * @param startedAtMillis start of the process: another value means another process
 * @param pid its process id
 */
public record InferenceStatus(
        Optional<Loaded> serving,
        Optional<Loaded> candidate,
        int draining,
        int requestsActive,
        long startedAtMillis,
        long pid) {
    /**
     * A model that the process has mapped.
     *
     * @param digest of the bytes that it mapped
     * @param tokenizer digest of what the file says of its tokenizer
     */
    public record Loaded(String model, String version, Sha256 digest, Optional<Sha256> tokenizer) {
        private ObjectNode toJson() {
            ObjectNode json =
                    Json.object().put("model", model).put("version", version).put("digest", digest.hex());
            tokenizer.ifPresent(known -> json.put("tokenizer", known.hex()));
            return json;
        }

        private static Loaded read(Fields fields) throws RejectedException {
            return new Loaded(
                    fields.text("model", ModelName.MAX_CHARS),
                    fields.text("version", ModelName.MAX_CHARS),
                    fields.sha256("digest"),
                    fields.has("tokenizer") ? Optional.of(fields.sha256("tokenizer")) : Optional.empty());
        }
    }

    /** Whether the model of this digest serves. */
    public boolean serves(Sha256 digest) {
        return serving.map(Loaded::digest).equals(Optional.of(digest));
    }

    /** Whether the model of this digest is loaded beside the serving one. */
    public boolean holds(Sha256 digest) {
        return candidate.map(Loaded::digest).equals(Optional.of(digest));
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        json.set("serving", serving.map(Loaded::toJson).orElse(null));
        json.set("candidate", candidate.map(Loaded::toJson).orElse(null));
        return json.put("draining", draining)
                .put("requestsActive", requestsActive)
                .put("startedAtMillis", startedAtMillis)
                .put("pid", pid);
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<InferenceStatus> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            return new InferenceStatus(
                    loaded(fields, "serving"),
                    loaded(fields, "candidate"),
                    (int) fields.integer("draining", 0, Integer.MAX_VALUE),
                    (int) fields.integer("requestsActive", 0, Integer.MAX_VALUE),
                    fields.integer("startedAtMillis", 0),
                    fields.integer("pid", 0));
        });
    }

    private static Optional<Loaded> loaded(Fields fields, String name) throws RejectedException {
        return fields.has(name) ? Optional.of(Loaded.read(fields.object(name))) : Optional.empty();
    }
}
