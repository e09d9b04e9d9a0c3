/** How the tensors of a model file make a network, one small class for each {@code general.architecture}. */
@NullMarked
package dev.holdfast.engine.architectures;

import org.jspecify.annotations.NullMarked;
