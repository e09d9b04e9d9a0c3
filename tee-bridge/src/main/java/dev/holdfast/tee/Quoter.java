package dev.holdfast.tee;

import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Binary;
import java.security.interfaces.ECPublicKey;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/** Signs registers and a challenge with the attestation key, which signs nothing else. */
public interface Quoter {
    ECPublicKey attestationKey() throws TeeException;

    /** A quote over the measurement register alone. */
    default Quote quote(Binary qualifyingData) throws TeeException {
        return quote(qualifyingData, Set.of());
    }

    /**
     * A quote over the measurement register with {@code qualifyingData} (32 bytes) inside.
     *
     * @param platformRegisters PCRs from 0 to 23 that firmware, boot loader and kernel extended and that the same
     *     signature shall cover; a bridge without such registers leaves them out, as {@link Quote#registers} tells
     */
    Quote quote(Binary qualifyingData, Set<Integer> platformRegisters) throws TeeException;

    /**
     * What the TEE signed.
     *
     * @param attest TPMS_ATTEST as signed (TPM 2.0 Library Part 2, 10.12.8), without a size prefix
     * @param signature TPMT_SIGNATURE as the TPM returned it
     * @param registers the values at that moment of all registers that the quote's PCR digest covers; empty where no
     *     register is quoted
     * @param nv the certificate of the measurement register, made after the quote with the same qualifying data, where that
     *     is an NV index ({@link TpmRegister.Nv})
     */
    record Quote(Binary attest, Binary signature, SortedMap<Integer, Binary> registers, Optional<Certificate> nv) {
        public Quote {
            registers = Collections.unmodifiableSortedMap(new TreeMap<>(registers));
        }

        public Quote(Binary attest, Binary signature, SortedMap<Integer, Binary> registers) {
            this(attest, signature, registers, Optional.empty());
        }
    }

    /** TPMS_ATTEST and TPMT_SIGNATURE, as in {@link Quote}. */
    record Certificate(Binary attest, Binary signature) {}
}
