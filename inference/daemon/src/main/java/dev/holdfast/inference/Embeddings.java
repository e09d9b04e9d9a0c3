package dev.holdfast.inference;

import dev.holdfast.control.Slot;
import dev.holdfast.engine.architectures.Embedding;
import java.util.List;

/**
 * Vectors of texts.
 *
 * @param model which model made them
 * @param vectors in the order of the texts
 */
record Embeddings(Slot model, List<Embedding> vectors) {
    Embeddings {
        vectors = List.copyOf(vectors);
    }

    /** Tokens of all texts. */
    int tokens() {
        return vectors.stream().mapToInt(Embedding::tokens).sum();
    }
}
