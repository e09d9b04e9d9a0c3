package dev.holdfast.updater;

import dev.holdfast.wire.Verdict;
import java.util.List;

/**
 * A target of kind {@code model}: the file, how it is transported, and the slot that it would fill.
 *
 * @param file the target as listed
 * @param blocks how it is cut for transport
 * @param slot what the model store and the inference process need to know
 * @param minAgent lowest agent version that may install it, such as {@code 0.1.0}
 * @param memoryBytes memory that the model needs; 0 where not said
 * @param companions files about the model that are kept beside it
 */
public record ModelTarget(
        TargetFile file, BlockTree blocks, Slot slot, String minAgent, long memoryBytes, List<Companion> companions) {
    public ModelTarget {
        companions = List.copyOf(companions);
    }

    /** Reads the signed custom block; refuses what is absent or out of range with {@code UPD-FORMAT}. */
    public static Verdict<ModelTarget> of(TargetFile file) {
        return CustomBlock.model(file);
    }
}
