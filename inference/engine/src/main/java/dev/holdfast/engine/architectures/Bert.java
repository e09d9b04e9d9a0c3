package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Weights;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;

/** BERT (MiniLM, BGE): learned positions, norms behind each layer, biases everywhere; embeds texts. */
final class Bert implements Architecture {
    @Override
    public String name() {
        return "bert";
    }

    @Override
    public Network load(TensorTable table) throws RejectedException {
        ArchitectureKeys keys = table.keys();
        ModelShape shape = ModelSizes.read(keys);
        int width = shape.width();
        if (shape.queryWidth() != width || shape.keyWidth() != width) {
            throw new RejectedException(Code.GGUF_TENSOR, "the heads of an encoder are not as wide as its vectors");
        }
        keys.flag("attention.causal", false);
        float epsilon = keys.epsilon("attention.layer_norm_epsilon");
        int types = (int) (long)
                table.file().whole("tokenizer.ggml.token_type_count", 1, 16, 1L).orThrow();
        Weights kinds = table.has("token_types.weight") ? table.matrix("token_types.weight", width, types) : null;
        List<Encoder.Layer> layers = new ArrayList<>();
        for (int i = 0; i < shape.layers(); i++) {
            layers.add(layer(table, shape, "blk." + i + "."));
        }
        return new Encoder(
                shape,
                epsilon,
                pooling(keys),
                table.matrix("token_embd.weight", width, shape.vocabulary()),
                table.matrix("position_embd.weight", width, shape.contextTokens()),
                kinds,
                norm(table, "token_embd_norm", width),
                layers);
    }

    @Override
    public HeapNeeds needs(ModelShape shape, int tokens, CacheType cache) {
        return Encoder.needs(shape, tokens);
    }

    private static Pooling pooling(ArchitectureKeys keys) throws RejectedException {
        return switch ((int) keys.whole("pooling_type", 0, 4, 1L)) {
            case 1 -> Pooling.MEAN;
            case 2 -> Pooling.FIRST;
            case 3 -> Pooling.LAST;
            default -> throw keys.unsupported("pooling_type");
        };
    }

    private static Encoder.Layer layer(TensorTable table, ModelShape shape, String at) throws RejectedException {
        int width = shape.width();
        TensorTable.Projections made = table.projections(at, width, width, width);
        return new Encoder.Layer(
                made.query(),
                made.key(),
                made.value(),
                table.linear(at + "attn_output", width, width),
                norm(table, at + "attn_output_norm", width),
                table.linear(at + "ffn_up", width, shape.feedForward()),
                table.linear(at + "ffn_down", shape.feedForward(), width),
                norm(table, at + "layer_output_norm", width));
    }

    private static Encoder.Norm norm(TensorTable table, String name, int width) throws RejectedException {
        return new Encoder.Norm(table.vector(name + ".weight", width), table.vector(name + ".bias", width));
    }
}
