package dev.holdfast.inference;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads the keys and tensors that all llama-like architectures share. */
final class TransformerLoader {
    /** The limits hold every model below ten billion parameters; they keep products of two sizes within an int. */
    private static final int MAX_LAYERS = 256;

    private static final int MAX_WIDTH = 16 * 1024;
    private static final int MAX_FEED_FORWARD = 64 * 1024;
    private static final int MAX_HEADS = 256;
    private static final int MAX_CONTEXT = 1 << 20;
    private static final int MAX_VOCABULARY = 1 << 20;

    private TransformerLoader() {}

    static Transformer load(TensorTable table, RotaryPairs pairs, boolean biases) throws RejectedException {
        ModelShape shape = shape(table.file());
        Rotary rotary = rotary(table, shape, pairs);
        String prefix = prefix(table.file());
        float epsilon = (float) (double) table.file()
                .real(prefix + "attention.layer_norm_rms_epsilon", null)
                .orThrow();
        List<Transformer.Layer> layers = new ArrayList<>();
        for (int i = 0; i < shape.layers(); i++) {
            layers.add(layer(table, shape, "blk." + i + ".", biases));
        }
        Weights embedding = table.matrix("token_embd.weight", shape.width(), shape.vocabulary());
        Weights output = table.has("output.weight")
                ? table.matrix("output.weight", shape.width(), shape.vocabulary())
                : embedding;
        float[] outputNorm = table.vector("output_norm.weight", shape.width());
        return new Transformer(shape, rotary, epsilon, embedding, layers, outputNorm, output);
    }

    private static String prefix(GgufFile file) throws RejectedException {
        return file.text("general.architecture", null).orThrow() + ".";
    }

    private static ModelShape shape(GgufFile file) throws RejectedException {
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

    private static int size(GgufFile file, String key, int max, @Nullable Integer absent) throws RejectedException {
        return (int) (long) file.whole(key, 1, max, absent == null ? null : Long.valueOf(absent))
                .orThrow();
    }

    private static Rotary rotary(TensorTable table, ModelShape shape, RotaryPairs pairs) throws RejectedException {
        GgufFile file = table.file();
        String prefix = prefix(file);
        int turned = size(file, prefix + "rope.dimension_count", MAX_WIDTH, shape.headSize());
        if (turned % 2 != 0 || turned > shape.headSize()) {
            throw new RejectedException(Code.GGUF_TENSOR, "rope.dimension_count is " + turned);
        }
        double base = file.real(prefix + "rope.freq_base", 10_000.0).orThrow();
        String scaling = file.text(prefix + "rope.scaling.type", "none").orThrow();
        double factor = 1;
        if (scaling.equals("linear")) {
            factor = file.real(prefix + "rope.scaling.factor", 1.0).orThrow();
        } else if (!scaling.equals("none")) {
            throw new RejectedException(Code.GGUF_UNSUPPORTED, "rope scaling " + scaling);
        }
        if (!(base > 0) || !(factor > 0)) {
            throw new RejectedException(Code.GGUF_FORMAT, "rope.freq_base or rope.scaling.factor is not positive");
        }
        float[] divisors =
                table.has("rope_freqs.weight") ? table.vector("rope_freqs.weight", turned / 2) : new float[0];
        return new Rotary(pairs, turned, base, factor, divisors);
    }

    private static Transformer.Layer layer(TensorTable table, ModelShape shape, String prefix, boolean biases)
            throws RejectedException {
        int width = shape.width();
        return new Transformer.Layer(
                table.vector(prefix + "attn_norm.weight", width),
                table.matrix(prefix + "attn_q.weight", width, shape.queryWidth()),
                table.matrix(prefix + "attn_k.weight", width, shape.keyWidth()),
                table.matrix(prefix + "attn_v.weight", width, shape.keyWidth()),
                biases ? table.vector(prefix + "attn_q.bias", shape.queryWidth()) : new float[0],
                biases ? table.vector(prefix + "attn_k.bias", shape.keyWidth()) : new float[0],
                biases ? table.vector(prefix + "attn_v.bias", shape.keyWidth()) : new float[0],
                table.matrix(prefix + "attn_output.weight", shape.queryWidth(), width),
                table.vector(prefix + "ffn_norm.weight", width),
                table.matrix(prefix + "ffn_gate.weight", width, shape.feedForward()),
                table.matrix(prefix + "ffn_up.weight", width, shape.feedForward()),
                table.matrix(prefix + "ffn_down.weight", shape.feedForward(), width));
    }
}
