package dev.holdfast.engine;

import dev.holdfast.engine.architectures.Architectures;
import dev.holdfast.engine.architectures.HeapNeeds;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;

/**
 * Memory that a model comes to take when it serves at its fullest, by what the head of its file says: no tensor is read and nothing is
 * loaded. All in bytes.
 *
 * @param fileBytes the file, which is mapped whole
 * @param cacheBytes keys and values of all sequences, each as long as the context
 * @param bufferBytes activations of all sequences
 * @param sharedBytes tables of positions, and the vocabulary
 */
public record MemoryNeeds(long fileBytes, long cacheBytes, long bufferBytes, long sharedBytes) {
    /** {@code context-tokens} of a device whose configuration says nothing. */
    public static final int DEFAULT_CONTEXT_TOKENS = 2048;
    /** {@code max-sequences} of a device whose configuration says nothing. */
    public static final int DEFAULT_SEQUENCES = 4;

    /** Of a token's text, score and places in the maps of the tokenizer: 17 MiB for 49,152 tokens were measured. */
    private static final long TOKEN_BYTES = 360;

    /**
     * Reads the head of a file.
     *
     * @param contextTokens the longest sequence; the model's own limit counts too
     * @param sequences answers made at the same time
     * @param cache how keys and values are kept
     * @return refused with a code {@code GGUF-} where the file is not a model that this engine runs, {@code GATE-LOAD} where it cannot
     *     be read
     */
    public static Verdict<MemoryNeeds> of(Path file, int contextTokens, int sequences, CacheType cache) {
        return MappedModel.map(file).then(mapped -> {
            try (mapped) {
                return mapped.head().then(head -> of(head, contextTokens, sequences, cache));
            }
        });
    }

    /** As {@link #of(Path, int, int, CacheType)}, of a head that was read. */
    public static Verdict<MemoryNeeds> of(GgufFile file, int contextTokens, int sequences, CacheType cache) {
        return Verdict.of(() -> {
            ModelShape shape = Architectures.shape(file);
            HeapNeeds heap = Architectures.needs(file, Math.min(contextTokens, shape.contextTokens()), cache);
            return new MemoryNeeds(
                    file.length(),
                    sequences * heap.cacheBytes(),
                    sequences * heap.bufferBytes(),
                    heap.tableBytes() + TOKEN_BYTES * shape.vocabulary());
        });
    }

    /** What it takes beside the mapped file. */
    public long heapBytes() {
        return cacheBytes + bufferBytes + sharedBytes;
    }

    /** All of it. */
    public long totalBytes() {
        return fileBytes + heapBytes();
    }
}
