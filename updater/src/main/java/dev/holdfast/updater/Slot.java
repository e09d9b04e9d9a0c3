package dev.holdfast.updater;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;

/**
 * A model as store, journal and inference process name it.
 *
 * @param target its target path
 * @param model name of the model
 * @param version version, for people
 * @param release counter, growing per model
 * @param epoch security epoch
 * @param digest SHA-256 of the file
 * @param length bytes of the file
 * @param template chat template as signed
 * @param gate health gate as signed
 */
public record Slot(
        String target,
        String model,
        String version,
        long release,
        long epoch,
        Sha256 digest,
        long length,
        JsonNode template,
        JsonNode gate) {
    public Slot {
        template = template.deepCopy();
        gate = gate.deepCopy();
    }

    /** The SLOT object of {@code serving.json} and of the control socket. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object()
                .put("target", target)
                .put("model", model)
                .put("version", version)
                .put("release", release)
                .put("epoch", epoch)
                .put("digest", digest.hex())
                .put("length", length);
        json.set("template", template.deepCopy());
        json.set("gate", gate.deepCopy());
        return json;
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<Slot> fromJson(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            return new Slot(
                    fields.text("target", Fields.MAX_NAME_CHARS),
                    fields.text("model", Fields.MAX_NAME_CHARS),
                    fields.text("version", Fields.MAX_NAME_CHARS),
                    fields.integer("release", 0),
                    fields.integer("epoch", 0),
                    fields.sha256("digest"),
                    fields.integer("length", 0),
                    fields.object("template").node(),
                    fields.object("gate").node());
        });
    }

    @Override
    public String toString() {
        return model + "@" + version + " (" + digest.hex().substring(0, 16) + ")";
    }
}
