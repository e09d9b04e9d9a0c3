package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.Attention;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Rotary;
import dev.holdfast.engine.kernels.Weights;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;

/** Reads the keys and tensors that all llama-like architectures share, and those that their traits ask for. */
final class DecoderLoader {
    private final TensorTable table;
    private final GgufFile file;
    private final String prefix;
    private final DecoderTraits traits;
    private final ModelShape shape;
    private final Rotary rotary;
    private final Rotary windowRotary;
    private final int window;
    private final int period;

    private DecoderLoader(TensorTable table, DecoderTraits traits) throws RejectedException {
        this.table = table;
        this.file = table.file();
        this.prefix = ModelSizes.prefix(file);
        this.traits = traits;
        this.shape = ModelSizes.read(file);
        this.rotary = RotaryKeys.rotary(table, shape, traits.pairs());
        if (traits.windowPeriod() > 0 && file.metadata().containsKey(prefix + "attention.sliding_window")) {
            window = ModelSizes.size(file, prefix + "attention.sliding_window", ModelSizes.MAX_CONTEXT, null);
            period = ModelSizes.size(
                    file, prefix + "attention.sliding_window_pattern", ModelSizes.MAX_LAYERS, traits.windowPeriod());
            windowRotary = RotaryKeys.windowRotary(file, shape, traits.pairs());
        } else {
            window = Integer.MAX_VALUE;
            period = 1;
            windowRotary = rotary;
        }
    }

    static Transformer load(TensorTable table, DecoderTraits traits) throws RejectedException {
        return new DecoderLoader(table, traits).transformer();
    }

    private Transformer transformer() throws RejectedException {
        if (file.real(prefix + "final_logit_softcapping", 0.0).orThrow() != 0) {
            throw new RejectedException(Code.GGUF_UNSUPPORTED, "capped logits");
        }
        float epsilon = (float) (double)
                file.real(prefix + "attention.layer_norm_rms_epsilon", null).orThrow();
        List<Transformer.Layer> layers = new ArrayList<>();
        for (int i = 0; i < shape.layers(); i++) {
            boolean windowed = i % period < period - 1;
            layers.add(new Transformer.Layer(attention("blk." + i + ".", windowed), feedForward("blk." + i + ".")));
        }
        Weights embedding = table.matrix("token_embd.weight", shape.width(), shape.vocabulary());
        Weights output = table.has("output.weight")
                ? table.matrix("output.weight", shape.width(), shape.vocabulary())
                : embedding;
        float scale = traits.scaledEmbedding() ? (float) Math.sqrt(shape.width()) : 1;
        float[] outputNorm = table.vector("output_norm.weight", shape.width());
        return new Transformer(shape, epsilon, embedding, scale, layers, outputNorm, output);
    }

    private Transformer.AttentionWeights attention(String at, boolean windowed) throws RejectedException {
        int width = shape.width();
        return new Transformer.AttentionWeights(
                table.vector(at + "attn_norm.weight", width),
                table.matrix(at + "attn_q.weight", width, shape.queryWidth()),
                table.matrix(at + "attn_k.weight", width, shape.keyWidth()),
                table.matrix(at + "attn_v.weight", width, shape.keyWidth()),
                optional(traits.biases(), at + "attn_q.bias", shape.queryWidth()),
                optional(traits.biases(), at + "attn_k.bias", shape.keyWidth()),
                optional(traits.biases(), at + "attn_v.bias", shape.keyWidth()),
                optional(traits.headNorms(), at + "attn_q_norm.weight", shape.headSize()),
                optional(traits.headNorms(), at + "attn_k_norm.weight", shape.headSize()),
                windowed ? windowRotary : rotary,
                new Attention.Window(windowed ? window : Integer.MAX_VALUE),
                table.matrix(at + "attn_output.weight", shape.queryWidth(), width),
                optional(traits.postNorms(), at + "post_attention_norm.weight", width));
    }

    private Transformer.FeedForward feedForward(String at) throws RejectedException {
        int width = shape.width();
        return new Transformer.FeedForward(
                table.vector(at + "ffn_norm.weight", width),
                table.matrix(at + "ffn_gate.weight", width, shape.feedForward()),
                table.matrix(at + "ffn_up.weight", width, shape.feedForward()),
                traits.activation(),
                table.matrix(at + "ffn_down.weight", shape.feedForward(), width),
                optional(traits.postNorms(), at + "post_ffw_norm.weight", width));
    }

    private float[] optional(boolean there, String name, int length) throws RejectedException {
        return there ? table.vector(name, length) : new float[0];
    }
}
