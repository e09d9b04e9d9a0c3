package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.wire.RejectedException;

/** How the tensors of one {@code general.architecture} make a model. One small class each, listed in {@link Architectures}. */
interface Architecture {
    /** The value of {@code general.architecture}. */
    String name();

    /** Finds and checks every tensor; nothing is computed yet. */
    Network load(TensorTable table) throws RejectedException;

    /** What a model of this shape takes of the heap, with sequences of {@code tokens}; a decoder unless said otherwise. */
    default HeapNeeds needs(ModelShape shape, int tokens, CacheType cache) {
        return Transformer.needs(shape, tokens, cache, 1);
    }
}
