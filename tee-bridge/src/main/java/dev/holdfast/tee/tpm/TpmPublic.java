package dev.holdfast.tee.tpm;

import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.interfaces.ECPublicKey;

/**
 * TPMT_PUBLIC of a P-256 key (TPM 2.0 Library Part 2, 12.2.4).
 *
 * @param encoded the structure's bytes
 * @param attributes TPMA_OBJECT
 * @param authPolicy the policy's digest, or empty
 * @param key the point
 */
public record TpmPublic(Binary encoded, long attributes, Binary authPolicy, ECPublicKey key) implements TpmKeyArea {
    private static final int MAX_POLICY_BYTES = 64;
    /** What makes a key fit for attestation: it signs only what the TPM made, and never left this TPM. */
    private static final long ATTESTATION =
            Tpm.RESTRICTED | Tpm.SIGN_ENCRYPT | Tpm.FIXED_TPM | Tpm.FIXED_PARENT | Tpm.SENSITIVE_DATA_ORIGIN;

    /** Parses strictly: an ECC key on P-256 with name algorithm SHA-256, the point on the curve, no bytes left over. */
    public static Verdict<TpmPublic> parse(Binary encoded) {
        return Verdict.of(() -> {
            TpmReader reader = new TpmReader(encoded.toArray());
            if (reader.u16() != Tpm.ALG_ECC || reader.u16() != Tpm.ALG_SHA256) {
                throw reader.malformed("not an ECC key named by SHA-256");
            }
            long attributes = reader.u32();
            Binary policy = reader.sized(MAX_POLICY_BYTES);
            if (reader.u16() != Tpm.ALG_NULL) {
                reader.u16(); // symmetric key bits
                reader.u16(); // symmetric mode
            }
            if (reader.u16() != Tpm.ALG_NULL) {
                reader.u16(); // the scheme's hash
            }
            if (reader.u16() != Tpm.ECC_NIST_P256) {
                throw reader.malformed("the curve is not P-256");
            }
            if (reader.u16() != Tpm.ALG_NULL) {
                throw reader.malformed("a KDF is not defined for ECC keys");
            }
            ECPublicKey key = point(reader);
            reader.end();
            return new TpmPublic(encoded, attributes, policy, key);
        });
    }

    /** TPMT_PUBLIC under which a key from outside is loaded to check its signatures. */
    static Binary verifier(ECPublicKey key) {
        byte[] xy = P256.encode(key).toArray();
        return new TpmWriter()
                .u16(Tpm.ALG_ECC)
                .u16(Tpm.ALG_SHA256)
                .u32(Tpm.SIGN_ENCRYPT | Tpm.USER_WITH_AUTH)
                .u16(0)
                .u16(Tpm.ALG_NULL)
                .u16(Tpm.ALG_NULL)
                .u16(Tpm.ECC_NIST_P256)
                .u16(Tpm.ALG_NULL)
                .sized(Binary.copyOf(xy, 0, P256.FIELD_BYTES))
                .sized(Binary.copyOf(xy, P256.FIELD_BYTES, P256.FIELD_BYTES))
                .toBinary();
    }

    public static Binary name(Binary publicArea) {
        return new TpmWriter()
                .u16(Tpm.ALG_SHA256)
                .bytes(Sha256.of(publicArea.toArray()).toArray())
                .toBinary();
    }

    /** Whether the key is restricted to signing what the TPM made, was made in this TPM, and cannot leave it. */
    public boolean isAttestationKey() {
        return (attributes & ATTESTATION) == ATTESTATION && (attributes & Tpm.DECRYPT) == 0;
    }

    /** Whether the key signs what the device gives it, was made in this TPM, and cannot leave it. */
    public boolean isDeviceSigner() {
        long needed = ATTESTATION & ~Tpm.RESTRICTED;
        return (attributes & needed) == needed && (attributes & (Tpm.RESTRICTED | Tpm.DECRYPT)) == 0;
    }

    /** TPMS_ECC_POINT. */
    static ECPublicKey point(TpmReader reader) throws RejectedException {
        Binary x = reader.sized(P256.FIELD_BYTES);
        Binary y = reader.sized(P256.FIELD_BYTES);
        return switch (P256.publicKey(x, y)) {
            case Verdict.Accepted<ECPublicKey>(ECPublicKey key) -> key;
            case Verdict.Rejected<ECPublicKey>(var reason) -> throw reader.malformed(reason.detail());
        };
    }
}
