package dev.holdfast.image;

/** Signs by the private key of releases, which this module never sees. */
@FunctionalInterface
public interface ReleaseSigner {
    /** An ECDSA-Sig-Value in DER, on P-256 over the SHA-256 of {@code message}. */
    byte[] sign(byte[] message);
}
