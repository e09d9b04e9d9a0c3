package dev.holdfast.tee;

import dev.holdfast.wire.Sha256;
import java.security.interfaces.ECPublicKey;

/** A P-256 key that never leaves the TEE. */
public interface DeviceSigner {
    ECPublicKey publicKey() throws TeeException;

    /** Signs a SHA-256 digest. Returns r || s, 64 bytes, each big-endian (the form of IEEE P1363, as COSE wants it). */
    byte[] sign(Sha256 digest) throws TeeException;
}
