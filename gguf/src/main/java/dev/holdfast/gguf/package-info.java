/**
 * The model file: container, block layouts, reader and writer. It follows the GGUF specification, version 3, and is
 * stricter where the specification is silent, because a model file is untrusted until its digest has been checked, and
 * may be hostile even then.
 */
@NullMarked
package dev.holdfast.gguf;

import org.jspecify.annotations.NullMarked;
