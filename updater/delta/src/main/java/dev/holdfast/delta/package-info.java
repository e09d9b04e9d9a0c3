/**
 * The model-aware delta codec {@code hfd2}: a container of independent blocks, each with its own operation, payload
 * hash and output hash, so that a patch is checked before it is decoded and a block before it is written.
 *
 * <p>The producer knows GGUF tensors; the applier knows bytes, ranges and the layout of quantized blocks.
 */
@NullMarked
package dev.holdfast.delta;

import org.jspecify.annotations.NullMarked;
