/**
 * The device's root of trust behind one SPI, {@link dev.holdfast.tee.TeeBridge}: a TPM 2.0 driven by our own small
 * marshaller (TCG TPM 2.0 Library, Parts 2 and 3), and a software stand-in that says so.
 */
@NullMarked
package dev.holdfast.tee;

import org.jspecify.annotations.NullMarked;
