package dev.holdfast.engine.architectures;

/**
 * Heap bytes of a model when it serves; its weights stay in the mapped file.
 *
 * @param cacheBytes keys and values of one sequence that fills its context
 * @param bufferBytes activations of one sequence
 * @param tableBytes tables that all sequences share
 */
public record HeapNeeds(long cacheBytes, long bufferBytes, long tableBytes) {}
