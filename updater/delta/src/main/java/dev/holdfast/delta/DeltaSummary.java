package dev.holdfast.delta;

import java.util.Map;

/**
 * What a producer made.
 *
 * @param baseBytes length of the base file
 * @param resultBytes length of the file that the patch makes
 * @param patchBytes length of the patch
 * @param blocks how many blocks use each operation
 */
public record DeltaSummary(long baseBytes, long resultBytes, long patchBytes, Map<DeltaOp, Integer> blocks) {
    public DeltaSummary {
        blocks = Map.copyOf(blocks);
    }

    /** Patch length by result length. */
    public double ratio() {
        return resultBytes == 0 ? 0 : (double) patchBytes / resultBytes;
    }
}
