package dev.holdfast.trust.release;

import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;

/**
 * A target of kind {@code delta}: a patch from one model file to another.
 *
 * @param file the patch as listed
 * @param blocks how the patch is cut for transport
 * @param codec {@code hfd2}
 * @param base hash of the file that it applies to
 * @param result hash of the file that it makes
 * @param resultLength bytes of the file that it makes
 */
public record DeltaTarget(
        TargetFile file, BlockTree blocks, String codec, Sha256 base, Sha256 result, long resultLength) {
    /** Reads the signed custom block; refuses what is absent or out of range with {@code UPD-FORMAT}. */
    public static Verdict<DeltaTarget> of(TargetFile file) {
        return CustomBlock.delta(file);
    }
}
