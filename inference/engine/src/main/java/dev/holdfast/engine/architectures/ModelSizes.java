package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;

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

    static ModelShape read(ArchitectureKeys keys) throws RejectedException {
        int width = keys.sizeOfEachLayer("embedding_length", MAX_WIDTH, null);
        int heads = keys.sizeOfEachLayer("attention.head_count", MAX_HEADS, null);
        int keyHeads = keys.sizeOfEachLayer("attention.head_count_kv", MAX_HEADS, heads);
        int headSize = keys.sizeOfEachLayer("attention.key_length", MAX_WIDTH, width / heads);
        int valueSize = keys.sizeOfEachLayer("attention.value_length", MAX_WIDTH, headSize);
        int vocabulary = keys.file().texts("tokenizer.ggml.tokens").orThrow().size();
        if (heads % keyHeads != 0 || headSize % 2 != 0 || headSize != valueSize || headSize < 2 || vocabulary < 1) {
            throw new RejectedException(Code.GGUF_TENSOR, "the head sizes do not fit together");
        }
        if (vocabulary > MAX_VOCABULARY || (long) heads * headSize > 2L * MAX_WIDTH) {
            throw new RejectedException(Code.GGUF_LIMIT, "vocabulary or heads are too large");
        }
        keys.number("embedding_length_out", width);
        keys.number("attention.key_length_swa", headSize);
        keys.number("attention.value_length_swa", headSize);
        return new ModelShape(
                keys.size("context_length", MAX_CONTEXT, null),
                keys.size("block_count", MAX_LAYERS, null),
                width,
                heads,
                keyHeads,
                headSize,
                keys.sizeOfEachLayer("feed_forward_length", MAX_FEED_FORWARD, null),
                vocabulary);
    }
}
