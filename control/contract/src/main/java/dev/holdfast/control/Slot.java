package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;

/**
 * A model as store, journal and inference process name it. Its file is found by the digest alone; {@code target} is only
 * the name under which it was signed.
 *
 * @param target its target path
 * @param model name of the model, such as {@code intent}
 * @param version version, for people
 * @param release counter, growing per model
 * @param epoch security epoch
 * @param digest SHA-256 of the file
 * @param length bytes of the file
 * @param template chat template as signed; only the engine looks into it
 * @param gate health gate as signed; only the engine looks into it
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

    /** The object of {@code serving.json}, of the journal and of the control socket. */
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

    /** Reads what {@link #toJson} wrote; fields that later versions add are passed over. */
    public static Verdict<Slot> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            return new Slot(
                    fields.text("target", ModelName.MAX_TARGET_CHARS),
                    fields.text("model", ModelName.MAX_CHARS),
                    fields.text("version", ModelName.MAX_CHARS),
                    fields.integer("release", 0),
                    fields.integer("epoch", 0),
                    fields.sha256("digest"),
                    fields.integer("length", 0),
                    fields.object("template").node(),
                    fields.object("gate").node());
        });
    }

    /** {@code intent@1.0.0}: the name in answers. */
    public String id() {
        return ModelName.id(model, version);
    }

    /** {@code sha256:} and the first 16 digits of the digest. */
    public String fingerprint() {
        return "sha256:" + digest.hex().substring(0, 16);
    }

    @Override
    public String toString() {
        return id() + " (" + digest.hex().substring(0, 16) + ")";
    }
}
