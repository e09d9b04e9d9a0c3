package dev.holdfast.tee.tpm;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Verdict;
import java.security.PublicKey;

/** TPMT_PUBLIC of a key (TPM 2.0 Library Part 2, 12.2.4), of one of the kinds that we read. Immutable. */
public sealed interface TpmKeyArea permits TpmPublic, TpmRsaPublic {
    /** The structure's bytes. */
    Binary encoded();

    /** TPMA_OBJECT. */
    long attributes();

    PublicKey key();

    /** Parses strictly, by the kind that the structure names. */
    static Verdict<? extends TpmKeyArea> parse(Binary encoded) {
        boolean rsa = encoded.length() > 1 && (encoded.toArray()[0] << 8 | encoded.toArray()[1]) == Tpm.ALG_RSA;
        return rsa ? TpmRsaPublic.parse(encoded) : TpmPublic.parse(encoded);
    }

    /** The object's name: the algorithm and the hash of the structure (Part 1, 16). */
    default Binary name() {
        return TpmPublic.name(encoded());
    }

    /** Whether the key is a restricted decryption key that was made in this TPM and cannot leave it: a storage key. */
    default boolean isEndorsementKey() {
        long needed = Tpm.RESTRICTED | Tpm.DECRYPT | Tpm.FIXED_TPM | Tpm.FIXED_PARENT | Tpm.SENSITIVE_DATA_ORIGIN;
        return (attributes() & needed) == needed && (attributes() & Tpm.SIGN_ENCRYPT) == 0;
    }
}
