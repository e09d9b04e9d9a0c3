package dev.holdfast.tee.tpm;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import javax.crypto.Cipher;

/**
 * An authorization session (TPM 2.0 Library Part 1, 19 and 21) whose key comes from a salt that only the endorsement key
 * opens. Commands and responses carry an HMAC under that key, and their first parameter can travel under AES-128-CFB: an
 * interposer on the bus neither reads it nor changes a byte unseen. The authorization value of the object that the session
 * authorizes is part of both keys (19.6.5, 21.2), and so never travels. Not thread-safe; only on the {@code tee} thread.
 */
final class TpmSession {
    static final int HMAC = 0;
    static final int POLICY = 1;

    static final int CONTINUE = 1;
    /** The command's first parameter is encrypted: the TPM decrypts it. */
    static final int DECRYPT = 1 << 5;
    /** The response's first parameter is encrypted by the TPM. */
    static final int ENCRYPT = 1 << 6;

    private static final int NONCE_BYTES = 16;
    private static final SecureRandom RANDOM = new SecureRandom();

    private final long handle;
    private final byte[] key;
    private byte[] nonceCaller;
    private byte[] nonceTpm;

    private TpmSession(long handle, byte[] key, byte[] nonceCaller, byte[] nonceTpm) {
        this.handle = handle;
        this.key = key;
        this.nonceCaller = nonceCaller;
        this.nonceTpm = nonceTpm;
    }

    /** TPM2_StartAuthSession (Part 3, 11.1); {@code endorsement} is loaded as {@code endorsementHandle}. */
    static TpmSession start(TpmEngine engine, int type, long endorsementHandle, TpmKeyArea endorsement)
            throws TeeException, RejectedException {
        TpmSeed salt = TpmSeed.fresh(endorsement, "SECRET");
        byte[] nonceCaller = nonce();
        TpmEngine.Reply reply = engine.load(new TpmCommand(Tpm.CC_START_AUTH_SESSION)
                .handle(endorsementHandle)
                .handle(Tpm.RH_NULL)
                .with(w -> w.sized(nonceCaller)
                        .sized(salt.encrypted())
                        .u8(type)
                        .u16(Tpm.ALG_AES)
                        .u16(128)
                        .u16(Tpm.ALG_CFB)
                        .u16(Tpm.ALG_SHA256)));
        byte[] nonceTpm = reply.parameters().sized(Sha256.BYTES).toArray();
        reply.parameters().end();
        if (nonceTpm.length < NONCE_BYTES) {
            throw reply.parameters().malformed("a nonce of " + nonceTpm.length + " bytes");
        }
        byte[] key = TpmKdf.kdfa(salt.clear(), "ATH", nonceTpm, nonceCaller, 256);
        return new TpmSession(reply.handle(), key, nonceCaller, nonceTpm);
    }

    long handle() {
        return handle;
    }

    /** Draws the nonce of the next command. */
    void roll() {
        nonceCaller = nonce();
    }

    Binary nonceCaller() {
        return Binary.copyOf(nonceCaller);
    }

    /** The command's parameters with the content of the first, a TPM2B, encrypted. */
    byte[] encryptFirst(byte[] parameters, AuthValue auth) {
        int size = (parameters[0] & 0xff) << 8 | parameters[1] & 0xff;
        byte[] clear = Arrays.copyOfRange(parameters, 2, 2 + size);
        byte[] out = parameters.clone();
        System.arraycopy(
                TpmKdf.parameter(Cipher.ENCRYPT_MODE, with(auth), nonceCaller, nonceTpm, clear), 0, out, 2, size);
        return out;
    }

    /** The response's parameters with the content of the first, a TPM2B, in clear again. */
    byte[] decryptFirst(byte[] parameters, AuthValue auth) throws RejectedException {
        byte[] closed = new TpmReader(parameters).sized(TpmConnection.MAX_BYTES).toArray();
        byte[] out = parameters.clone();
        byte[] open = TpmKdf.parameter(Cipher.DECRYPT_MODE, with(auth), nonceTpm, nonceCaller, closed);
        System.arraycopy(open, 0, out, 2, open.length);
        return out;
    }

    /** Part 1, 19.6.5. */
    byte[] commandHmac(byte[] cpHash, int attributes, AuthValue auth) {
        return TpmKdf.hmac(with(auth), cpHash, nonceCaller, nonceTpm, new byte[] {(byte) attributes});
    }

    /** Takes in the TPM's fresh nonce and says whether the response is the TPM's own answer to the command. */
    boolean accepts(byte[] rpHash, byte[] freshNonceTpm, int attributes, byte[] hmac, AuthValue auth) {
        nonceTpm = freshNonceTpm.clone();
        byte[] expected = TpmKdf.hmac(with(auth), rpHash, nonceTpm, nonceCaller, new byte[] {(byte) attributes});
        return MessageDigest.isEqual(expected, hmac);
    }

    private byte[] with(AuthValue auth) {
        return new TpmWriter().bytes(key).bytes(auth.bytes()).toArray();
    }

    private static byte[] nonce() {
        byte[] nonce = new byte[NONCE_BYTES];
        RANDOM.nextBytes(nonce);
        return nonce;
    }
}
