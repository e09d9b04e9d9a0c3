package dev.holdfast.tee.tpm;

import dev.holdfast.wire.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** The TPM's key derivation over SHA-256 and what it encrypts with (TPM 2.0 Library Part 1, 11.4.10). Stateless. */
public final class TpmKdf {
    private static final int AES_KEY_BYTES = 16;
    private static final int AES_BLOCK_BYTES = 16;

    private TpmKdf() {}

    /** KDFa (11.4.10.2), one round: {@code bits} of at most 256, from {@code contextU || contextV}. */
    public static byte[] kdfa(byte[] key, String label, byte[] contextU, byte[] contextV, int bits) {
        return Arrays.copyOf(hmac(key, u32(1), label(label), contextU, contextV, u32(bits)), bits / 8);
    }

    /** KDFe (11.4.10.3), one round of 256 bits, from the shared x coordinate and those of both public keys. */
    public static byte[] kdfe(byte[] z, String label, byte[] partyU, byte[] partyV) {
        return Sha256.of(u32(1), z, label(label), partyU, partyV).toArray();
    }

    /** HMAC-SHA-256. HMAC pads keys with zeros, so an empty key, which the JDK refuses, equals one zero byte. */
    public static byte[] hmac(byte[] key, byte[]... parts) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key.length == 0 ? new byte[1] : key, "HmacSHA256"));
            for (byte[] part : parts) {
                mac.update(part);
            }
            return mac.doFinal();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** AES-128-CFB; {@code mode} is one of the {@link Cipher} modes. */
    public static byte[] aesCfb(int mode, byte[] key, byte[] iv, byte[] data) {
        try {
            Cipher cipher = Cipher.getInstance("AES/CFB/NoPadding");
            cipher.init(mode, new SecretKeySpec(key, "AES"), new IvParameterSpec(iv));
            return cipher.doFinal(data);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The first parameter of a command or response (Part 1, 21.3): key and IV come from the session and both nonces. */
    static byte[] parameter(int mode, byte[] sessionKey, byte[] nonceNewer, byte[] nonceOlder, byte[] data) {
        byte[] material = kdfa(sessionKey, "CFB", nonceNewer, nonceOlder, 8 * (AES_KEY_BYTES + AES_BLOCK_BYTES));
        byte[] key = Arrays.copyOf(material, AES_KEY_BYTES);
        return aesCfb(mode, key, Arrays.copyOfRange(material, AES_KEY_BYTES, material.length), data);
    }

    /** A label with its terminating zero, as both functions and OAEP take it. */
    public static byte[] label(String text) {
        return (text + "\0").getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] u32(int value) {
        return ByteBuffer.allocate(Integer.BYTES).putInt(value).array();
    }
}
