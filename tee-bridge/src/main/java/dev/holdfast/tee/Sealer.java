package dev.holdfast.tee;

/** Seals secrets of at most {@value #MAX_SECRET_BYTES} bytes so that only this device opens them. */
public interface Sealer {
    int MAX_SECRET_BYTES = 128;

    byte[] seal(byte[] secret) throws TeeException;

    byte[] unseal(byte[] sealed) throws TeeException;
}
