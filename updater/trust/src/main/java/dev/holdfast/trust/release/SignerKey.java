package dev.holdfast.trust.release;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;

/**
 * Whoever signs models by OpenSSF Model Signing: an ECDSA key on P-256, P-384 or P-521 with the hash of its size.
 *
 * @param algorithm the JDK's name of the signature
 */
public record SignerKey(PublicKey key, String algorithm) {
    static final int MAX_PEM_CHARS = 1024;
    private static final String BEGIN = "-----BEGIN PUBLIC KEY-----\n";
    private static final String END = "\n-----END PUBLIC KEY-----\n";

    /** Reads a SubjectPublicKeyInfo in PEM, nothing before and nothing behind it; {@code OMS-KEY}. */
    public static Verdict<SignerKey> fromPem(String pem) {
        String text = pem.strip() + "\n";
        if (text.length() > MAX_PEM_CHARS
                || text.length() < BEGIN.length() + END.length()
                || !text.startsWith(BEGIN)
                || !text.endsWith(END)) {
            return Verdict.rejected(Code.OMS_KEY, "no public key in PEM");
        }
        try {
            byte[] der = Base64.getDecoder()
                    .decode(text.substring(BEGIN.length(), text.length() - END.length())
                            .replace("\n", ""));
            PublicKey key = KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(der));
            return key instanceof ECPublicKey ec ? of(ec) : Verdict.rejected(Code.OMS_KEY, "no elliptic key");
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            return Verdict.rejected(Code.OMS_KEY, "the key does not read: " + e.getMessage());
        }
    }

    private static Verdict<SignerKey> of(ECPublicKey key) {
        return switch (key.getParams().getOrder().bitLength()) {
            case 256 -> Verdict.accepted(new SignerKey(key, "SHA256withECDSA"));
            case 384 -> Verdict.accepted(new SignerKey(key, "SHA384withECDSA"));
            case 521 -> Verdict.accepted(new SignerKey(key, "SHA512withECDSA"));
            default -> Verdict.rejected(Code.OMS_KEY, "a curve that OMS does not use");
        };
    }

    /** The one PEM form of the key, with which OMS names it. */
    public String toPem() {
        Base64.Encoder lines = Base64.getMimeEncoder(64, new byte[] {'\n'});
        return BEGIN + new String(lines.encode(key.getEncoded()), StandardCharsets.US_ASCII) + END;
    }

    /** SHA-256 of the PEM form in hexadecimal. */
    String hint() {
        return Sha256.of(toPem().getBytes(StandardCharsets.US_ASCII)).hex();
    }

    boolean isPem(byte[] pem) {
        return Arrays.equals(pem, toPem().getBytes(StandardCharsets.US_ASCII));
    }
}
