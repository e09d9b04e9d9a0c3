package dev.holdfast.tee;

import dev.holdfast.wire.Sha256;
import java.security.interfaces.ECPublicKey;

/** Checks ES256 signatures inside the TEE, so that the check does not rest on the daemon's own arithmetic. */
public interface AnchorVerifier {
    /** Whether {@code signatureP1363} (r || s, 64 bytes) over {@code digest} is by {@code key}. */
    boolean verify(ECPublicKey key, Sha256 digest, byte[] signatureP1363) throws TeeException;
}
