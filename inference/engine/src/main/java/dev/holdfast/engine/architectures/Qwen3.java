package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.RotaryPairs;
import dev.holdfast.wire.RejectedException;

/** Qwen3: as Qwen2, with norms on heads in place of the biases. */
final class Qwen3 implements Architecture {
    @Override
    public String name() {
        return "qwen3";
    }

    @Override
    public Network load(TensorTable table) throws RejectedException {
        return DecoderLoader.load(table, DecoderTraits.llama(RotaryPairs.HALVES).withHeadNorms());
    }
}
