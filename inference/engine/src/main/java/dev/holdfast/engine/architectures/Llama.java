package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.RotaryPairs;
import dev.holdfast.wire.RejectedException;

/** Llama and everything converted to its form (SmolLM, TinyLlama, Mistral): neighbouring rotary pairs, no biases. */
final class Llama implements Architecture {
    @Override
    public String name() {
        return "llama";
    }

    @Override
    public Network load(TensorTable table) throws RejectedException {
        return DecoderLoader.load(table, DecoderTraits.llama(RotaryPairs.NEIGHBOURS));
    }
}
