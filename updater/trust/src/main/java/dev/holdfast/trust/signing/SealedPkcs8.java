package dev.holdfast.trust.signing;

import java.io.IOException;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKey;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.PBEParameterSpec;

/** A private key under a passphrase: EncryptedPrivateKeyInfo of PKCS #8 (RFC 5958), PBES2 of RFC 8018; openssl reads it. */
final class SealedPkcs8 {
    private static final String SCHEME = "PBEWithHmacSHA256AndAES_256";
    /** Of PBKDF2 with HMAC-SHA-256, as OWASP asks for (2023). */
    private static final int ITERATIONS = 600_000;

    private static final int SALT_BYTES = 16;

    private SealedPkcs8() {}

    /** @param pkcs8 PrivateKeyInfo */
    static byte[] seal(byte[] pkcs8, char[] passphrase) {
        try {
            byte[] salt = new byte[SALT_BYTES];
            new SecureRandom().nextBytes(salt);
            Cipher cipher = Cipher.getInstance(SCHEME);
            cipher.init(Cipher.ENCRYPT_MODE, key(passphrase), new PBEParameterSpec(salt, ITERATIONS));
            // The JDK names the parameters by the cipher, which has no object identifier of its own.
            AlgorithmParameters parameters = AlgorithmParameters.getInstance("PBES2");
            parameters.init(cipher.getParameters().getEncoded());
            return new EncryptedPrivateKeyInfo(parameters, cipher.doFinal(pkcs8)).getEncoded();
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * PrivateKeyInfo.
     *
     * @throws GeneralSecurityException where the passphrase is another one
     * @throws IOException where it is not such a document
     */
    static byte[] open(byte[] sealed, char[] passphrase) throws GeneralSecurityException, IOException {
        EncryptedPrivateKeyInfo info = new EncryptedPrivateKeyInfo(sealed);
        Cipher cipher = Cipher.getInstance(SCHEME);
        cipher.init(Cipher.DECRYPT_MODE, key(passphrase), info.getAlgParameters());
        return info.getKeySpec(cipher).getEncoded();
    }

    private static SecretKey key(char[] passphrase) throws GeneralSecurityException {
        return SecretKeyFactory.getInstance(SCHEME).generateSecret(new PBEKeySpec(passphrase));
    }
}
