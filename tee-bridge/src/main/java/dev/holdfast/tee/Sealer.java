package dev.holdfast.tee;

import dev.holdfast.tee.tpm.SealPolicy;
import dev.holdfast.tee.tpm.Unlock;

/** Seals secrets of 1 to {@value #MAX_SECRET_BYTES} bytes so that only this device opens them. Thread-safe. */
public interface Sealer {
    int MAX_SECRET_BYTES = 128;

    /** Seals {@code secret}; the policy becomes part of the sealed object. */
    byte[] seal(byte[] secret, SealPolicy policy) throws TeeException;

    /** Opens what {@link #seal} returned, or fails with TEE_REFUSED where its policy does not hold. */
    byte[] unseal(byte[] sealed, Unlock unlock) throws TeeException;

    default byte[] seal(byte[] secret) throws TeeException {
        return seal(secret, new SealPolicy.ThisDevice());
    }

    default byte[] unseal(byte[] sealed) throws TeeException {
        return unseal(sealed, new Unlock.ThisDevice());
    }
}
