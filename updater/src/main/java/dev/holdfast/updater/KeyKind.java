package dev.holdfast.updater;

/**
 * The kinds of key that sign metadata.
 *
 * <p>ML-DSA follows TAP 21: pure ML-DSA with an empty context over {@code "tuf" || 0x01 || SHA-512(canonical form)}.
 */
public enum KeyKind {
    ED25519("ed25519", "ed25519", "Ed25519"),
    ECDSA_P256("ecdsa", "ecdsa-sha2-nistp256", "SHA256withECDSA"),
    ML_DSA_44("mldsa", "ml-dsa-44/1", "ML-DSA-44"),
    ML_DSA_65("mldsa", "ml-dsa-65/1", "ML-DSA-65");

    private final String keyType;
    private final String scheme;
    private final String algorithm;

    KeyKind(String keyType, String scheme, String algorithm) {
        this.keyType = keyType;
        this.scheme = scheme;
        this.algorithm = algorithm;
    }

    /** TUF {@code keytype}. */
    public String keyType() {
        return keyType;
    }

    /** TUF {@code scheme}. */
    public String scheme() {
        return scheme;
    }

    /** Name of the JDK's {@link java.security.Signature}. */
    String algorithm() {
        return algorithm;
    }
}
