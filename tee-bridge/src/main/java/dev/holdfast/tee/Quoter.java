package dev.holdfast.tee;

import dev.holdfast.wire.Binary;
import java.security.interfaces.ECPublicKey;

/** Signs registers and a challenge with the attestation key, which signs nothing else. */
public interface Quoter {
    ECPublicKey attestationKey() throws TeeException;

    /**
     * A quote over the measurement register with {@code qualifyingData} (32 bytes) inside.
     */
    Quote quote(Binary qualifyingData) throws TeeException;

    /**
     * What the TEE signed.
     *
     * @param attest TPMS_ATTEST as signed (TPM 2.0 Library Part 2, 10.12.8), without a size prefix
     * @param signature TPMT_SIGNATURE as the TPM returned it
     * @param registerValue the register's value at that moment, which the quote's PCR digest covers
     */
    record Quote(Binary attest, Binary signature, Binary registerValue) {}
}
