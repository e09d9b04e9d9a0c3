package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.RotaryPairs;
import dev.holdfast.wire.RejectedException;

/** Qwen2 and 2.5: rotary pairs half a head apart, biases on query, key and value. */
final class Qwen2 implements Architecture {
    @Override
    public String name() {
        return "qwen2";
    }

    @Override
    public Network load(TensorTable table) throws RejectedException {
        return DecoderLoader.load(table, DecoderTraits.llama(RotaryPairs.HALVES).withBiases());
    }
}
