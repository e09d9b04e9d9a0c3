/**
 * Models that compute, without a socket: a model file in memory, sampling, a whole answer. The parts have packages of their own:
 * {@link dev.holdfast.engine.architectures}, {@link dev.holdfast.engine.text}, {@link dev.holdfast.engine.kernels}, {@link
 * dev.holdfast.engine.gate}.
 */
@NullMarked
package dev.holdfast.engine;

import org.jspecify.annotations.NullMarked;
