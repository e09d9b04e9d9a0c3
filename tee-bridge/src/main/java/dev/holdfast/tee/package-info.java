/**
 * The device's root of trust behind one SPI, {@link dev.holdfast.tee.TeeBridge}: a TPM 2.0
 * ({@code tpm}), a PKCS #11 token ({@code pkcs11}), or files that say so ({@code software}).
 */
@NullMarked
package dev.holdfast.tee;

import org.jspecify.annotations.NullMarked;
