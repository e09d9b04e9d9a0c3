/**
 * The model-aware delta codec {@code hfd1}: a container of independent blocks, each with its own operation, payload
 * hash and output hash, so that a patch is checked before it is decoded and a block before it is written.
 *
 * <p>The producer knows GGUF tensors; the applier knows only bytes, ranges and the element width of a block.
 */
@NullMarked
package dev.holdfast.delta;

import org.jspecify.annotations.NullMarked;
