/** A TPM 2.0 as root of trust, driven by our own small marshaller (TCG TPM 2.0 Library, Parts 1 to 3). Its answers are hostile until read. */
@NullMarked
package dev.holdfast.tee.tpm;

import org.jspecify.annotations.NullMarked;
