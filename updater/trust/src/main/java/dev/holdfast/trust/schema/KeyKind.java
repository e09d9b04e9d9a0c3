package dev.holdfast.trust.schema;

import java.security.GeneralSecurityException;
import java.security.Signature;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;

/**
 * The kinds of key that sign metadata.
 *
 * <p>ML-DSA follows TAP 21: pure ML-DSA with an empty context over {@code "tuf" || 0x01 || SHA-512(canonical form)}.
 */
public enum KeyKind {
    ED25519("ed25519", "ed25519", "Ed25519"),
    ECDSA_P256("ecdsa", "ecdsa-sha2-nistp256", "SHA256withECDSA"),
    ML_DSA_44("mldsa", "ml-dsa-44/1", "ML-DSA-44"),
    ML_DSA_65("mldsa", "ml-dsa-65/1", "ML-DSA-65"),
    ML_DSA_87("mldsa", "ml-dsa-87/1", "ML-DSA-87"),
    RSA_PSS_SHA256("rsa", "rsassa-pss-sha256", "RSASSA-PSS");

    /** As long as the hash, which is what TUF's signers use. */
    private static final int SALT_BYTES = 32;

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

    public KeyFamily family() {
        return switch (this) {
            case ED25519, ECDSA_P256, RSA_PSS_SHA256 -> KeyFamily.CLASSICAL;
            case ML_DSA_44, ML_DSA_65, ML_DSA_87 -> KeyFamily.LATTICE;
        };
    }

    /** Name of the JDK's key factory and generator. */
    public String keyAlgorithm() {
        return switch (this) {
            case ECDSA_P256 -> "EC";
            case RSA_PSS_SHA256 -> "RSA";
            default -> algorithm;
        };
    }

    /** A signature object of the JDK with the scheme's parameters. */
    public Signature signature() throws GeneralSecurityException {
        Signature signature = Signature.getInstance(algorithm);
        if (this == RSA_PSS_SHA256) {
            signature.setParameter(new PSSParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, SALT_BYTES, 1));
        }
        return signature;
    }

    /** Name of the JDK's {@link java.security.Signature}. */
    String algorithm() {
        return algorithm;
    }
}
