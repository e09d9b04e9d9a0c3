package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import org.jspecify.annotations.Nullable;

/**
 * Reads the sizes of a model from its metadata. The limits hold every model below ten billion parameters; they keep products
 * of two sizes within an int.
 */
final class ModelSizes {
    static final int MAX_LAYERS = 256;
    static final int MAX_WIDTH = 16 * 1024;
    static final int MAX_CONTEXT = 1 << 20;
    private static final int MAX_FEED_FORWARD = 64 * 1024;
    private static final int MAX_HEADS = 256;
    private static final int MAX_VOCABULARY = 1 << 20;

    private ModelSizes() {}

    /** What is before the keys of the file's architecture. */
    static String prefix(GgufFile file) throws RejectedException {
        return file.text("general.architecture", null).orThrow() + ".";
    }

    static ModelShape read(GgufFile file) throws RejectedException {
        String prefix = prefix(file);
        int width = size(file, prefix + "embedding_length", MAX_WIDTH, null);
        int heads = size(file, prefix + "attention.head_count", MAX_HEADS, null);
        int keyHeads = size(file, prefix + "attention.head_count_kv", MAX_HEADS, heads);
        int headSize = size(file, prefix + "attention.key_length", MAX_WIDTH, width / heads);
        int valueSize = size(file, prefix + "attention.value_length", MAX_WIDTH, headSize);
        int vocabulary = file.texts("tokenizer.ggml.tokens").orThrow().size();
        if (heads % keyHeads != 0 || headSize % 2 != 0 || headSize != valueSize || headSize < 2 || vocabulary < 1) {
            throw new RejectedException(Code.GGUF_TENSOR, "the head sizes do not fit together");
        }
        if (vocabulary > MAX_VOCABULARY || (long) heads * headSize > 2L * MAX_WIDTH) {
            throw new RejectedException(Code.GGUF_LIMIT, "vocabulary or heads are too large");
        }
        return new ModelShape(
                size(file, prefix + "context_length", MAX_CONTEXT, null),
                size(file, prefix + "block_count", MAX_LAYERS, null),
                width,
                heads,
                keyHeads,
                headSize,
                size(file, prefix + "feed_forward_length", MAX_FEED_FORWARD, null),
                vocabulary);
    }

    static int size(GgufFile file, String key, int max, @Nullable Integer absent) throws RejectedException {
        return (int) (long) file.whole(key, 1, max, absent == null ? null : Long.valueOf(absent))
                .orThrow();
    }
}
