/**
 * The {@code holdfast} command: what a person on the device asks the running daemons, and what is asked of a model file. The daemons
 * have mains of their own, and so have the verbs that need the TEE; the launcher knows which is which.
 */
@NullMarked
package dev.holdfast.cli;

import org.jspecify.annotations.NullMarked;
