package dev.holdfast.tee.tpm;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Verdict;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.RSAPublicKeySpec;

/**
 * TPMT_PUBLIC of an RSA key with 2048 to 4096 bits (TPM 2.0 Library Part 2, 12.2.4), as endorsement keys of template L-1
 * have it.
 *
 * @param encoded the structure's bytes
 * @param attributes TPMA_OBJECT
 * @param authPolicy the policy's digest, or empty
 */
public record TpmRsaPublic(Binary encoded, long attributes, Binary authPolicy, RSAPublicKey key) implements TpmKeyArea {
    private static final int MAX_POLICY_BYTES = 64;
    private static final int MIN_BITS = 2048;
    private static final int MAX_BITS = 4096;
    private static final long DEFAULT_EXPONENT = 65537;

    /** Parses strictly: an RSA key with name algorithm SHA-256 and AES-128-CFB, no bytes left over. */
    public static Verdict<TpmRsaPublic> parse(Binary encoded) {
        return Verdict.of(() -> {
            TpmReader reader = new TpmReader(encoded.toArray());
            if (reader.u16() != Tpm.ALG_RSA || reader.u16() != Tpm.ALG_SHA256) {
                throw reader.malformed("not an RSA key named by SHA-256");
            }
            long attributes = reader.u32();
            Binary policy = reader.sized(MAX_POLICY_BYTES);
            if (reader.u16() != Tpm.ALG_AES || reader.u16() != 128 || reader.u16() != Tpm.ALG_CFB) {
                throw reader.malformed("a storage key with AES-128-CFB is expected");
            }
            if (reader.u16() != Tpm.ALG_NULL) {
                throw reader.malformed("a storage key has no scheme");
            }
            int bits = reader.u16();
            long exponent = reader.u32();
            if (bits < MIN_BITS || bits > MAX_BITS || exponent != 0 && exponent != DEFAULT_EXPONENT) {
                throw reader.malformed("an RSA key of " + bits + " bits with exponent " + exponent);
            }
            BigInteger modulus = new BigInteger(1, reader.sized(MAX_BITS / 8).toArray());
            reader.end();
            if (modulus.bitLength() != bits || !modulus.testBit(0)) {
                throw reader.malformed("a modulus of " + modulus.bitLength() + " bits");
            }
            return new TpmRsaPublic(encoded, attributes, policy, key(modulus));
        });
    }

    private static RSAPublicKey key(BigInteger modulus) {
        try {
            return (RSAPublicKey) KeyFactory.getInstance("RSA")
                    .generatePublic(new RSAPublicKeySpec(modulus, BigInteger.valueOf(DEFAULT_EXPONENT)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }
}
