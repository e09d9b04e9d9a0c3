/**
 * How a device changes its model: the content-addressed model store and the install state machine.
 *
 * <p>Network, inference process and event log are ports ({@link dev.holdfast.trust.client.BlockSource}, {@link
 * dev.holdfast.control.InferenceControl}, {@link dev.holdfast.updater.Measurements}); everything that comes through them is
 * untrusted until a signed hash says otherwise.
 */
@NullMarked
package dev.holdfast.updater;

import org.jspecify.annotations.NullMarked;
