package dev.holdfast.attestation;

import dev.holdfast.tee.tpm.TpmKdf;
import dev.holdfast.tee.tpm.TpmKeyArea;
import dev.holdfast.tee.tpm.TpmSeed;
import dev.holdfast.wire.Binary;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import javax.crypto.Cipher;

/**
 * TPM2_MakeCredential in software for a P-256 or RSA endorsement key with AES-128-CFB (TPM 2.0 Library Part 1, 24):
 * closes a secret so that only the TPM with this endorsement key opens it, and only while the object with this name is
 * loaded in it.
 *
 * @param blob TPMS_ID_OBJECT
 * @param encryptedSecret TPMS_ECC_POINT, the ephemeral key, or the RSA ciphertext of the seed
 */
public record Credential(Binary blob, Binary encryptedSecret) {
    private static final int SYMMETRIC_BITS = 128;
    private static final int HMAC_BITS = 256;

    private static final byte[] NO_CONTEXT = new byte[0];

    public static Credential make(TpmKeyArea endorsement, Binary name, byte[] secret) {
        TpmSeed seed = TpmSeed.fresh(endorsement, "IDENTITY");
        byte[] key = TpmKdf.kdfa(seed.clear(), "STORAGE", name.toArray(), NO_CONTEXT, SYMMETRIC_BITS);
        byte[] identity = TpmKdf.aesCfb(Cipher.ENCRYPT_MODE, key, new byte[16], sized(secret));
        byte[] macKey = TpmKdf.kdfa(seed.clear(), "INTEGRITY", NO_CONTEXT, NO_CONTEXT, HMAC_BITS);
        byte[] integrity = TpmKdf.hmac(macKey, identity, name.toArray());
        return new Credential(Binary.copyOf(concat(sized(integrity), identity)), seed.encrypted());
    }

    private static byte[] sized(byte[] bytes) {
        return ByteBuffer.allocate(2 + bytes.length)
                .putShort((short) bytes.length)
                .put(bytes)
                .array();
    }

    private static byte[] concat(byte[] a, byte[] b) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(a);
        out.writeBytes(b);
        return out.toByteArray();
    }
}
