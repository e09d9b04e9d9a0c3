package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;

/**
 * A target of kind {@code model}: the file, how it is transported, and what it is when it serves.
 *
 * @param file the target as listed
 * @param blocks how it is cut for transport
 * @param model name of the model
 * @param version version, for people
 * @param release counter, growing per model
 * @param epoch security epoch
 * @param template chat template; only the engine looks into it
 * @param gate health gate; only the engine looks into it
 * @param minAgent lowest agent version that may install it, such as {@code 0.1.0}
 * @param memoryBytes memory that the model needs; 0 where not said
 * @param attachments files about the model that are kept beside it
 */
public record ModelTarget(
        TargetFile file,
        BlockTree blocks,
        String model,
        String version,
        long release,
        long epoch,
        JsonNode template,
        JsonNode gate,
        String minAgent,
        long memoryBytes,
        List<Attachment> attachments) {
    private static final String KIND = "model";
    /** The only format of models so far; readers take it for granted. */
    private static final String FORMAT = "gguf";

    public ModelTarget {
        attachments = List.copyOf(attachments);
        template = template.deepCopy();
        gate = gate.deepCopy();
    }

    /** Whether a target says that it is a model. */
    public static boolean is(TargetFile file) {
        return CustomBlock.isKind(file, KIND);
    }

    /** Reads the signed custom block; refuses what is absent or out of range with {@code UPD-FORMAT}. */
    public static Verdict<ModelTarget> of(TargetFile file) {
        return Verdict.of(() -> {
            Fields custom = CustomBlock.read(file, KIND);
            BlockTree blocks = BlockTree.read(custom, file.length());
            long memoryBytes = custom.has("needs") ? custom.object("needs").integer("memoryBytes", 0) : 0;
            List<Attachment> attachments = new ArrayList<>();
            for (Attachment.Kind about : Attachment.Kind.values()) {
                Attachment.read(about, file).ifPresent(attachments::add);
            }
            return new ModelTarget(
                    file,
                    blocks,
                    custom.modelName("model"),
                    custom.modelName("version"),
                    custom.integer("release", 0),
                    custom.integer("epoch", 0),
                    custom.object("template").node(),
                    custom.object("gate").node(),
                    custom.text("minAgent", 32),
                    memoryBytes,
                    attachments);
        });
    }

    /** The custom block, as {@link #of} reads it. What {@code file} carries of it is not looked at. */
    public ObjectNode toCustom() {
        ObjectNode custom = CustomBlock.begin(KIND)
                .put("model", model)
                .put("version", version)
                .put("release", release)
                .put("epoch", epoch)
                .put("format", FORMAT)
                .put("minAgent", minAgent);
        blocks.put(custom);
        custom.set("template", template.deepCopy());
        custom.set("gate", gate.deepCopy());
        custom.putObject("needs").put("memoryBytes", memoryBytes);
        attachments.forEach(about -> about.put(custom));
        return custom;
    }

    /** The target to sign: {@code file} with the custom block that says all this. */
    public TargetFile listed() {
        return new TargetFile(file.path(), file.length(), file.hashes(), toCustom());
    }
}
