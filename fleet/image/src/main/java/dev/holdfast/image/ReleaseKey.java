package dev.holdfast.image;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/** The public key of releases: ECDSA on P-256 with SHA-256, the scheme that every verifier of cosign's form knows. Thread-safe. */
public record ReleaseKey(ECPublicKey key) {
    /** A SubjectPublicKeyInfo of P-256 has 178 characters in PEM. */
    public static final int MAX_PEM_BYTES = 4096;

    private static final String BEGIN = "-----BEGIN PUBLIC KEY-----";
    private static final String END = "-----END PUBLIC KEY-----";
    private static final String ALGORITHM = "SHA256withECDSA";

    /** Reads a SubjectPublicKeyInfo in PEM, nothing before and nothing behind it; {@code IMG-KEY}. */
    public static Verdict<ReleaseKey> fromPem(String pem) {
        String text = pem.strip();
        if (text.length() > MAX_PEM_BYTES
                || text.length() < BEGIN.length() + END.length()
                || !text.startsWith(BEGIN)
                || !text.endsWith(END)) {
            return Verdict.rejected(Code.IMG_KEY, "not a PEM file that begins with " + BEGIN);
        }
        String body = text.substring(BEGIN.length(), text.length() - END.length());
        try {
            byte[] der = Base64.getDecoder().decode(body.replaceAll("[\\r\\n]", ""));
            return KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(der)) instanceof ECPublicKey key
                            && isP256(key)
                    ? Verdict.accepted(new ReleaseKey(key))
                    : Verdict.rejected(Code.IMG_KEY, "an elliptic key, but not on P-256");
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            return Verdict.rejected(Code.IMG_KEY, "the key does not read: " + e.getMessage());
        }
    }

    private static boolean isP256(ECPublicKey key) throws GeneralSecurityException {
        AlgorithmParameters named = AlgorithmParameters.getInstance("EC");
        named.init(new ECGenParameterSpec("secp256r1"));
        ECParameterSpec curve = named.getParameterSpec(ECParameterSpec.class);
        return key.getParams().getCurve().equals(curve.getCurve())
                && key.getParams().getGenerator().equals(curve.getGenerator())
                && key.getParams().getOrder().equals(curve.getOrder());
    }

    /** SHA-256 of the SubjectPublicKeyInfo, by which people compare keys. */
    public Sha256 fingerprint() {
        return Sha256.of(key.getEncoded());
    }

    /** Whether {@code signature}, an ECDSA-Sig-Value in DER, is one of {@code message}. */
    boolean verifies(byte[] message, byte[] signature) {
        try {
            Signature check = Signature.getInstance(ALGORITHM);
            check.initVerify(key);
            check.update(message);
            return check.verify(signature);
        } catch (GeneralSecurityException e) {
            return false; // The signature is not one in DER.
        }
    }
}
