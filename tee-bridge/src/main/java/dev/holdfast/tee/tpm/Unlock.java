package dev.holdfast.tee.tpm;

import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.util.Set;

/** What is put before the TEE to open a sealed secret; it decides by what it is asked, not by what it is told. */
public sealed interface Unlock {
    /** For {@link SealPolicy.ThisDevice}. */
    record ThisDevice() implements Unlock {}

    /**
     * For {@link SealPolicy.Registers}: the values that these PCRs have now.
     *
     * @param pcrs at least one
     */
    record Registers(Set<Integer> pcrs) implements Unlock {
        public Registers {
            pcrs = Set.copyOf(pcrs);
            if (pcrs.isEmpty()) {
                throw new IllegalArgumentException("no PCRs");
            }
        }
    }

    /**
     * For {@link SealPolicy.AuthorizedBy}: the values that these PCRs have now, which the key approved.
     *
     * @param pcrs those of the approved {@link SealPolicy.Registers}
     * @param signature r || s over {@link #approved}
     */
    record Approved(SealPolicy.AuthorizedBy policy, Set<Integer> pcrs, Binary signature) implements Unlock {
        public Approved {
            pcrs = Set.copyOf(pcrs);
            if (pcrs.isEmpty() || signature.length() != P256.SIGNATURE_BYTES) {
                throw new IllegalArgumentException("an approval names PCRs and has 64 bytes of signature");
            }
        }
    }

    /** What the approver signs: SHA-256(approved policy's digest || purpose) (Part 3, 23.16, aHash). */
    static Sha256 approved(SealPolicy.Registers state, Binary purpose) {
        return Sha256.of(state.digest().toArray(), purpose.toArray());
    }
}
