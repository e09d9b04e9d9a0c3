/**
 * What the device trusts and how it changes models: the metadata client (TUF 1.0.34 section 5 with an Uptane-style
 * Director), the content-addressed model store and the install state machine.
 *
 * <p>Network, inference process and event log are ports ({@link dev.holdfast.updater.MetadataSource},
 * {@link dev.holdfast.updater.BlockSource}, {@link dev.holdfast.updater.InferenceControl},
 * {@link dev.holdfast.updater.Measurements}); everything that comes through them is untrusted until a signed hash says
 * otherwise. The delta codec is its own concern in {@link dev.holdfast.updater.delta}.
 */
@NullMarked
package dev.holdfast.updater;

import org.jspecify.annotations.NullMarked;
