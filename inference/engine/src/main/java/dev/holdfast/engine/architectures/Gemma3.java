package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.Activation;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.RotaryPairs;
import dev.holdfast.wire.RejectedException;

/** Gemma 3: four norms a layer, norms on heads, GELU, a scaled embedding, and five layers with a window for each without. */
final class Gemma3 implements Architecture {
    /** The model of 27 billion parameters scales its attention in a way of its own; nothing but this number tells. */
    private static final int LAYERS_OF_27B = 62;

    @Override
    public String name() {
        return "gemma3";
    }

    @Override
    public Network load(TensorTable table) throws RejectedException {
        if (table.keys().size("block_count", ModelSizes.MAX_LAYERS, null) == LAYERS_OF_27B) {
            throw table.keys().unsupported("block_count");
        }
        return DecoderLoader.load(
                table, new DecoderTraits(RotaryPairs.HALVES, false, true, true, Activation.GELU, true, 6));
    }

    @Override
    public HeapNeeds needs(ModelShape shape, int tokens, CacheType cache) {
        // Layers with a window turn by a table of their own.
        return Transformer.needs(shape, tokens, cache, 2);
    }
}
