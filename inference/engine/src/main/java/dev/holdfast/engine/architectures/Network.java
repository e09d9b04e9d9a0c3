package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Workers;

/** What an architecture makes of a file's tensors: a {@link Transformer} that continues text, or an {@link Encoder} that embeds it. */
public sealed interface Network permits Transformer, Encoder {
    ModelShape shape();

    /** Heap bytes that one sequence of {@code tokens} needs, for keys and values above all. */
    long sequenceBytes(int tokens, CacheType cache);

    /** Fixes the arithmetic and the longest sequence; called once, before anything is computed. */
    void prepare(Workers workers, int contextTokens);
}
