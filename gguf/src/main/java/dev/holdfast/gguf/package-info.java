@NullMarked
package dev.holdfast.gguf;

import org.jspecify.annotations.NullMarked;
