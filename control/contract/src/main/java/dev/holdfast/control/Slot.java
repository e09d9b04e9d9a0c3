package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.util.Objects;

/**
 * A release of a model as store, journal and inference process name it. Its file is found by the digest alone; what it does when it
 * serves follows from everything that was signed of it, which {@link #slotId} names. Immutable.
 */
public final class Slot {
    private final String target;
    private final String model;
    private final String version;
    private final long release;
    private final long epoch;
    private final Sha256 digest;
    private final long length;
    private final long memoryBytes;
    private final JsonNode template;
    private final JsonNode gate;
    private final SlotId slotId;

    /**
     * A slot.
     *
     * @param target path under which it was signed
     * @param model name of the model, such as {@code intent}
     * @param version version, for people
     * @param release counter, growing per model
     * @param epoch security epoch
     * @param digest SHA-256 of the file
     * @param length bytes of the file
     * @param memoryBytes what its publisher says that it needs when it serves; 0 where not said
     * @param template chat template as signed; only the engine looks into it
     * @param gate health gate as signed; only the engine looks into it
     * @throws IllegalArgumentException where template or gate hold a number beyond the range of a double
     */
    public Slot(
            String target,
            String model,
            String version,
            long release,
            long epoch,
            Sha256 digest,
            long length,
            long memoryBytes,
            JsonNode template,
            JsonNode gate) {
        this.target = target;
        this.model = model;
        this.version = version;
        this.release = release;
        this.epoch = epoch;
        this.digest = digest;
        this.length = length;
        this.memoryBytes = memoryBytes;
        this.template = template.deepCopy();
        this.gate = gate.deepCopy();
        this.slotId = SlotId.of(
                target, release, epoch, digest, CanonicalJson.digest(this.template), CanonicalJson.digest(this.gate));
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
                .put("length", length)
                .put("memoryBytes", memoryBytes);
        json.set("template", template.deepCopy());
        json.set("gate", gate.deepCopy());
        return json;
    }

    /** Reads what {@link #toJson} wrote; fields that later versions add are passed over. */
    public static Verdict<Slot> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            try {
                return new Slot(
                        fields.text("target", ModelName.MAX_TARGET_CHARS),
                        fields.modelName("model"),
                        fields.modelName("version"),
                        fields.integer("release", 0),
                        fields.integer("epoch", 0),
                        fields.sha256("digest"),
                        fields.integer("length", 0),
                        fields.integerOr("memoryBytes", 0, Long.MAX_VALUE, 0),
                        fields.object("template").node(),
                        fields.object("gate").node());
            } catch (IllegalArgumentException e) {
                throw fields.wrong("template and gate", "JSON whose numbers are within the range of a double");
            }
        });
    }

    /** Names this release with everything that was signed of it. */
    public SlotId slotId() {
        return slotId;
    }

    public String target() {
        return target;
    }

    public String model() {
        return model;
    }

    public String version() {
        return version;
    }

    public long release() {
        return release;
    }

    public long epoch() {
        return epoch;
    }

    public Sha256 digest() {
        return digest;
    }

    public long length() {
        return length;
    }

    public long memoryBytes() {
        return memoryBytes;
    }

    /** What it takes of a memory budget: what was signed, and never less than its file. */
    public long needsBytes() {
        return Math.max(memoryBytes, length);
    }

    public JsonNode template() {
        return template.deepCopy();
    }

    public JsonNode gate() {
        return gate.deepCopy();
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
    public boolean equals(Object other) {
        return other instanceof Slot that
                && slotId.equals(that.slotId)
                && model.equals(that.model)
                && version.equals(that.version)
                && length == that.length
                && memoryBytes == that.memoryBytes;
    }

    @Override
    public int hashCode() {
        return Objects.hash(slotId);
    }

    @Override
    public String toString() {
        return id() + " (" + slotId.hex().substring(0, 16) + ")";
    }
}
