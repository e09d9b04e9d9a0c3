package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Weights;
import dev.holdfast.gguf.GgufFile;
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
        GgufFile file = table.file();
        String prefix = ModelSizes.prefix(file);
        ModelShape shape = ModelSizes.read(file);
        int width = shape.width();
        if (shape.queryWidth() != width || shape.keyWidth() != width) {
            throw new RejectedException(Code.GGUF_TENSOR, "the heads of an encoder are not as wide as its vectors");
        }
        float epsilon = (float) (double)
                file.real(prefix + "attention.layer_norm_epsilon", null).orThrow();
        int types = ModelSizes.size(file, "tokenizer.ggml.token_type_count", 16, 1);
        Weights kinds = table.has("token_types.weight") ? table.matrix("token_types.weight", width, types) : null;
        List<Encoder.Layer> layers = new ArrayList<>();
        for (int i = 0; i < shape.layers(); i++) {
            layers.add(layer(table, shape, "blk." + i + "."));
        }
        return new Encoder(
                shape,
                epsilon,
                pooling(file, prefix),
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

    private static Pooling pooling(GgufFile file, String prefix) throws RejectedException {
        return switch ((int)
                (long) file.whole(prefix + "pooling_type", 0, 4, 1L).orThrow()) {
            case 1 -> Pooling.MEAN;
            case 2 -> Pooling.FIRST;
            case 3 -> Pooling.LAST;
            default -> throw new RejectedException(Code.GGUF_UNSUPPORTED, prefix + "pooling_type");
        };
    }

    private static Encoder.Layer layer(TensorTable table, ModelShape shape, String at) throws RejectedException {
        int width = shape.width();
        return new Encoder.Layer(
                linear(table, at + "attn_q", width, width),
                linear(table, at + "attn_k", width, width),
                linear(table, at + "attn_v", width, width),
                linear(table, at + "attn_output", width, width),
                norm(table, at + "attn_output_norm", width),
                linear(table, at + "ffn_up", width, shape.feedForward()),
                linear(table, at + "ffn_down", shape.feedForward(), width),
                norm(table, at + "layer_output_norm", width));
    }

    private static Encoder.Linear linear(TensorTable table, String name, int columns, int rows)
            throws RejectedException {
        float[] bias = table.has(name + ".bias") ? table.vector(name + ".bias", rows) : new float[0];
        return new Encoder.Linear(table.matrix(name + ".weight", columns, rows), bias);
    }

    private static Encoder.Norm norm(TensorTable table, String name, int width) throws RejectedException {
        return new Encoder.Norm(table.vector(name + ".weight", width), table.vector(name + ".bias", width));
    }
}
