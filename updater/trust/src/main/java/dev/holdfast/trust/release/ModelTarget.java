package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Verdict;
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
 * @param companions files about the model that are kept beside it
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
        List<Companion> companions) {
    public ModelTarget {
        companions = List.copyOf(companions);
        template = template.deepCopy();
        gate = gate.deepCopy();
    }

    /** Reads the signed custom block; refuses what is absent or out of range with {@code UPD-FORMAT}. */
    public static Verdict<ModelTarget> of(TargetFile file) {
        return CustomBlock.model(file);
    }
}
