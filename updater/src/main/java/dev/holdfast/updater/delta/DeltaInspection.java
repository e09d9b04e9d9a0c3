package dev.holdfast.updater.delta;

import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;

/**
 * What a patch says of itself.
 *
 * @param codec {@code hfd1}
 * @param patchBytes length of the patch
 * @param base hash of the base file
 * @param baseBytes length of the base file
 * @param result hash of the result
 * @param resultBytes length of the result
 * @param blocks how many blocks use each operation
 * @param payloadBytes payload bytes by operation
 */
public record DeltaInspection(
        String codec,
        long patchBytes,
        Sha256 base,
        long baseBytes,
        Sha256 result,
        long resultBytes,
        Map<DeltaOp, Integer> blocks,
        Map<DeltaOp, Long> payloadBytes) {
    public DeltaInspection {
        blocks = Map.copyOf(blocks);
        payloadBytes = Map.copyOf(payloadBytes);
    }

    /** Reads header and block table; payloads are not touched. */
    public static Verdict<DeltaInspection> of(Path patch) throws IOException {
        long patchBytes = Files.size(patch);
        return PatchHeader.read(patch).then(header -> {
            Map<DeltaOp, Integer> blocks = new EnumMap<>(DeltaOp.class);
            Map<DeltaOp, Long> bytes = new EnumMap<>(DeltaOp.class);
            for (int i = 0; i < header.blockCount(); i++) {
                PatchHeader.Block block = header.block(i);
                blocks.merge(block.op(), 1, Integer::sum);
                bytes.merge(block.op(), (long) block.payloadBytes(), Long::sum);
            }
            return Verdict.accepted(new DeltaInspection(
                    "hfd1",
                    patchBytes,
                    header.base(),
                    header.baseBytes(),
                    header.result(),
                    header.resultBytes(),
                    blocks,
                    bytes));
        });
    }
}
