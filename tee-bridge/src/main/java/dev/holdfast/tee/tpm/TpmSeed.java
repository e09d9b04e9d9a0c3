package dev.holdfast.tee.tpm;

import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
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
 * A fresh secret that only the holder of a storage key learns: the salt of a session (label {@code SECRET}) or the seed of
 * a credential (label {@code IDENTITY}). TPM 2.0 Library Part 1, B.10 for RSA and C.6 for ECC. Immutable.
 */
public final class TpmSeed {
    private static final int BYTES = 32;
    private static final SecureRandom RANDOM = new SecureRandom();

    private final byte[] clear;
    private final Binary encrypted;

    private TpmSeed(byte[] clear, byte[] encrypted) {
        this.clear = clear;
        this.encrypted = Binary.copyOf(encrypted);
    }

    /** @param holder a P-256 key, or an RSA key whose name algorithm is SHA-256 */
    public static TpmSeed fresh(TpmKeyArea holder, String label) {
        try {
            return switch (holder) {
                case TpmPublic ecc -> ecc(ecc.key(), label);
                case TpmRsaPublic rsa -> rsa(rsa.key(), label);
            };
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The secret itself, {@value #BYTES} bytes. */
    public byte[] clear() {
        return clear.clone();
    }

    /** TPMU_ENCRYPTED_SECRET: TPMS_ECC_POINT, the ephemeral key, or the RSA ciphertext. */
    public Binary encrypted() {
        return encrypted;
    }

    /** An ephemeral key, whose agreement with the holder's key gives the secret by KDFe. */
    private static TpmSeed ecc(ECPublicKey holder, String label) throws GeneralSecurityException {
        KeyPair ephemeral = P256.generate();
        KeyAgreement agreement = KeyAgreement.getInstance("ECDH");
        agreement.init(ephemeral.getPrivate());
        agreement.doPhase(holder, true);
        byte[] mine = P256.encode((ECPublicKey) ephemeral.getPublic()).toArray();
        Binary x = Binary.copyOf(mine, 0, P256.FIELD_BYTES);
        Binary y = Binary.copyOf(mine, P256.FIELD_BYTES, P256.FIELD_BYTES);
        byte[] theirX = P256.field(holder.getW().getAffineX());
        return new TpmSeed(
                TpmKdf.kdfe(agreement.generateSecret(), label, x.toArray(), theirX),
                new TpmWriter().sized(x).sized(y).toArray());
    }

    /** A random secret, closed by OAEP with SHA-256 and the label. */
    private static TpmSeed rsa(RSAPublicKey holder, String label) throws GeneralSecurityException {
        byte[] seed = new byte[BYTES];
        RANDOM.nextBytes(seed);
        Cipher oaep = Cipher.getInstance("RSA/ECB/OAEPPadding");
        oaep.init(
                Cipher.ENCRYPT_MODE,
                holder,
                new OAEPParameterSpec(
                        "SHA-256", "MGF1", MGF1ParameterSpec.SHA256, new PSource.PSpecified(TpmKdf.label(label))));
        return new TpmSeed(seed, oaep.doFinal(seed));
    }
}
