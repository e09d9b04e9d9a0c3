package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.Attention;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Rotary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;

/** Reads the keys and tensors that all llama-like architectures share, and those that their traits ask for. */
final class DecoderLoader {
    private static final String WINDOW = "attention.sliding_window";

    private final TensorTable table;
    private final ArchitectureKeys keys;
    private final DecoderTraits traits;
    private final ModelShape shape;
    private final Rotary rotary;
    private final Rotary windowRotary;
    private final int window;
    /** Which layers see a window only. */
    private final boolean[] windowed;

    private DecoderLoader(TensorTable table, DecoderTraits traits) throws RejectedException {
        this.table = table;
        this.keys = table.keys();
        this.traits = traits;
        this.shape = ModelSizes.read(keys);
        boolean windows = traits.windowPeriod() > 0;
        this.rotary = RotaryKeys.rotary(table, shape, traits.pairs(), !windows);
        long found = keys.whole(WINDOW, 0, Integer.MAX_VALUE, 0L);
        if (windows && found > 0) {
            window = (int) found;
            windowed = windowed();
            windowRotary = RotaryKeys.windowRotary(keys, shape, traits.pairs());
        } else {
            // A window that holds the whole context is none.
            if (found > 0 && found < shape.contextTokens()) {
                throw keys.unsupported(WINDOW);
            }
            window = Integer.MAX_VALUE;
            windowed = new boolean[shape.layers()];
            windowRotary = rotary;
            keys.noEffect(WINDOW + "_pattern", "rope.freq_base_swa");
        }
    }

    private boolean[] windowed() throws RejectedException {
        String pattern = WINDOW + "_pattern";
        boolean[] listed = keys.flagOfEachLayer(pattern);
        if (listed != null) {
            return listed;
        }
        int period = (int) keys.whole(pattern, 0, ModelSizes.MAX_LAYERS, (long) traits.windowPeriod());
        boolean[] windowed = new boolean[shape.layers()];
        for (int i = 0; i < windowed.length; i++) {
            // A period of zero: all of them.
            windowed[i] = period == 0 || i % period < period - 1;
        }
        return windowed;
    }

    static Transformer load(TensorTable table, DecoderTraits traits) throws RejectedException {
        return new DecoderLoader(table, traits).transformer();
    }

    private Transformer transformer() throws RejectedException {
        keys.flag("attention.causal", true);
        keys.number("attention.scale", 1 / Math.sqrt(shape.headSize()));
        float epsilon = keys.epsilon("attention.layer_norm_rms_epsilon");
        List<Transformer.Layer> layers = new ArrayList<>();
        for (int i = 0; i < shape.layers(); i++) {
            layers.add(new Transformer.Layer(attention("blk." + i + ".", windowed[i]), feedForward("blk." + i + ".")));
        }
        Linear embedding = table.linear("token_embd", shape.width(), shape.vocabulary());
        if (embedding.scale() != 1 || embedding.bias().length > 0) {
            throw new RejectedException(Code.GGUF_UNSUPPORTED, "token_embd.scale or token_embd.bias");
        }
        // Without a matrix of its own the output is the embedding, turned round.
        Linear output = table.has("output.weight")
                ? table.linear("output", shape.width(), shape.vocabulary())
                : new Linear(embedding.weights(), 1, table.bias("output", shape.vocabulary()));
        float scale = traits.scaledEmbedding() ? (float) Math.sqrt(shape.width()) : 1;
        float[] outputNorm = table.vector("output_norm.weight", shape.width());
        return new Transformer(shape, epsilon, embedding.weights(), scale, layers, outputNorm, output);
    }

    private Transformer.AttentionWeights attention(String at, boolean windowed) throws RejectedException {
        int width = shape.width();
        TensorTable.Projections made = table.projections(at, width, shape.queryWidth(), shape.keyWidth());
        return new Transformer.AttentionWeights(
                table.vector(at + "attn_norm.weight", width),
                withBias(made.query(), at + "attn_q"),
                withBias(made.key(), at + "attn_k"),
                withBias(made.value(), at + "attn_v"),
                optional(traits.headNorms(), at + "attn_q_norm.weight", shape.headSize()),
                optional(traits.headNorms(), at + "attn_k_norm.weight", shape.headSize()),
                windowed ? windowRotary : rotary,
                new Attention.Window(windowed ? window : Integer.MAX_VALUE),
                table.linear(at + "attn_output", shape.queryWidth(), width),
                optional(traits.postNorms(), at + "post_attention_norm.weight", width));
    }

    /** Refuses a query, key or value without the bias that the architecture must have. */
    private Linear withBias(Linear linear, String name) throws RejectedException {
        if (traits.biases() && linear.bias().length == 0) {
            throw new RejectedException(Code.GGUF_TENSOR, "the tensor " + name + ".bias is missing");
        }
        return linear;
    }

    private Transformer.FeedForward feedForward(String at) throws RejectedException {
        int width = shape.width();
        return new Transformer.FeedForward(
                table.vector(at + "ffn_norm.weight", width),
                table.linear(at + "ffn_gate", width, shape.feedForward()),
                table.linear(at + "ffn_up", width, shape.feedForward()),
                traits.activation(),
                table.linear(at + "ffn_down", shape.feedForward(), width),
                optional(traits.postNorms(), at + "post_ffw_norm.weight", width));
    }

    private float[] optional(boolean there, String name, int length) throws RejectedException {
        return there ? table.vector(name, length) : new float[0];
    }
}
