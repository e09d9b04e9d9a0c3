package dev.holdfast.attestation;

import dev.holdfast.tee.P256;
import dev.holdfast.tee.TpmKdf;
import dev.holdfast.tee.TpmPublic;
import dev.holdfast.tee.TpmRsaPublic;
import dev.holdfast.wire.Binary;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.MGF1ParameterSpec;
import javax.crypto.Cipher;
import javax.crypto.KeyAgreement;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;

/**
 * TPM2_MakeCredential in software for a P-256 or RSA endorsement key with AES-128-CFB (TPM 2.0 Library Part 1, 24):
 * closes a secret so that only the TPM with this endorsement key opens it, and only while the object with this name is
 * loaded in it.
 *
 * @param blob TPMS_ID_OBJECT
 * @param encryptedSecret TPMS_ECC_POINT, the ephemeral key, or the RSA ciphertext of the seed
 */
record Credential(Binary blob, Binary encryptedSecret) {
    private static final int SYMMETRIC_BITS = 128;
    private static final int HMAC_BITS = 256;

    private static final int SEED_BYTES = 32;
    private static final byte[] NO_CONTEXT = new byte[0];

    /** A seed that only the endorsement key's holder learns, and the form in which it travels. */
    private record Seed(byte[] seed, byte[] encrypted) {}

    static Credential make(EndorsementKey endorsement, Binary name, byte[] secret) {
        try {
            Seed fresh = switch (endorsement) {
                case EndorsementKey.Ecc(TpmPublic area) -> ecc(area.key());
                case EndorsementKey.Rsa(TpmRsaPublic area) -> rsa(area.key());
            };
            byte[] key = TpmKdf.kdfa(fresh.seed(), "STORAGE", name.toArray(), NO_CONTEXT, SYMMETRIC_BITS);
            byte[] identity = TpmKdf.aesCfb(Cipher.ENCRYPT_MODE, key, new byte[16], sized(secret));
            byte[] macKey = TpmKdf.kdfa(fresh.seed(), "INTEGRITY", NO_CONTEXT, NO_CONTEXT, HMAC_BITS);
            byte[] integrity = TpmKdf.hmac(macKey, identity, name.toArray());
            return new Credential(Binary.copyOf(concat(sized(integrity), identity)), Binary.copyOf(fresh.encrypted()));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Part 1, C.6.1: an ephemeral key, whose agreement with the endorsement key gives the seed by KDFe. */
    private static Seed ecc(ECPublicKey endorsement) throws GeneralSecurityException {
        KeyPair ephemeral = P256.generate();
        byte[] mine = P256.encode((ECPublicKey) ephemeral.getPublic()).toArray();
        KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
        agreement.init(ephemeral.getPrivate());
        agreement.doPhase(endorsement, true);
        byte[] theirX = x(P256.encode(endorsement).toArray());
        byte[] seed = TpmKdf.kdfe(agreement.generateSecret(), "IDENTITY", x(mine), theirX);
        return new Seed(seed, concat(sized(x(mine)), sized(y(mine))));
    }

    /** Part 1, B.10.4: a random seed, closed by OAEP with SHA-256 and the label. */
    private static Seed rsa(RSAPublicKey endorsement) throws GeneralSecurityException {
        byte[] seed = new byte[SEED_BYTES];
        new SecureRandom().nextBytes(seed);
        Cipher oaep = Cipher.getInstance("RSA/ECB/OAEPPadding");
        oaep.init(
                Cipher.ENCRYPT_MODE,
                endorsement,
                new OAEPParameterSpec(
                        "SHA-256", "MGF1", MGF1ParameterSpec.SHA256, new PSource.PSpecified(TpmKdf.label("IDENTITY"))));
        return new Seed(seed, oaep.doFinal(seed));
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

    private static byte[] x(byte[] xy) {
        return java.util.Arrays.copyOfRange(xy, 0, P256.FIELD_BYTES);
    }

    private static byte[] y(byte[] xy) {
        return java.util.Arrays.copyOfRange(xy, P256.FIELD_BYTES, 2 * P256.FIELD_BYTES);
    }
}
