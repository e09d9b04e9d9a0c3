package dev.holdfast.attestation;

import dev.holdfast.tee.TpmPublic;
import dev.holdfast.tee.TpmRsaPublic;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.security.PublicKey;

/** The key that a TPM's maker certifies: P-256 or RSA, a restricted storage key that cannot leave its TPM. */
sealed interface EndorsementKey {
    record Ecc(TpmPublic area) implements EndorsementKey {}

    record Rsa(TpmRsaPublic area) implements EndorsementKey {}

    default PublicKey publicKey() {
        return switch (this) {
            case Ecc(TpmPublic area) -> area.key();
            case Rsa(TpmRsaPublic area) -> area.key();
        };
    }

    /** Reads TPMT_PUBLIC of either kind; {@code ATT-ENROL} for another key, or one with other attributes. */
    static EndorsementKey parse(Binary encoded) throws RejectedException {
        boolean rsa = encoded.length() > 1 && encoded.toArray()[1] == 1; // TPM_ALG_RSA is 0x0001
        EndorsementKey key =
                rsa ? new Rsa(orRefused(TpmRsaPublic.parse(encoded))) : new Ecc(orRefused(TpmPublic.parse(encoded)));
        boolean fit = switch (key) {
            case Ecc(TpmPublic area) -> area.isEndorsementKey();
            case Rsa(TpmRsaPublic area) -> area.isEndorsementKey();
        };
        if (!fit) {
            throw EnrolmentMessage.refused("the endorsement key's attributes are not those of a storage key");
        }
        return key;
    }

    private static <T> T orRefused(Verdict<T> verdict) throws RejectedException {
        return switch (verdict) {
            case Verdict.Accepted<T>(T value) -> value;
            case Verdict.Rejected<T>(Rejection reason) ->
                throw EnrolmentMessage.refused("endorsement key: " + reason.detail());
        };
    }
}
