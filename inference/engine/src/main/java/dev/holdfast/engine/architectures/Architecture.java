package dev.holdfast.engine.architectures;

import dev.holdfast.wire.RejectedException;

/** How the tensors of one {@code general.architecture} make a model. One small class each, listed in {@link Architectures}. */
interface Architecture {
    /** The value of {@code general.architecture}. */
    String name();

    /** Finds and checks every tensor; nothing is computed yet. */
    Network load(TensorTable table) throws RejectedException;
}
