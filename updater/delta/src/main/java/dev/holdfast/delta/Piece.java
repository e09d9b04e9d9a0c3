package dev.holdfast.delta;

import dev.holdfast.gguf.GgufTensor;
import java.util.Optional;

/**
 * A stretch of the next file that is dealt with in one way.
 *
 * @param start first byte in the next file
 * @param end byte after the last
 * @param label name of the tensor, or what else it is
 * @param base where its counterpart begins in the base, -1 where it has none
 * @param tensors the tensor and its counterpart, where both have weights that can be predicted
 */
record Piece(long start, long end, String label, long base, Optional<Pair> tensors) {
    /** A tensor of the next file and its counterpart in the base, of as many weights. */
    record Pair(GgufTensor older, GgufTensor newer) {
        /** Bytes of the result that a cut may fall between: whole blocks of both types. */
        int unitBytes() {
            return Math.toIntExact(newer.type().bytesFor(unitWeights()));
        }

        int unitWeights() {
            return Math.max(newer.type().blockElements(), older.type().blockElements());
        }
    }

    long length() {
        return end - start;
    }
}
