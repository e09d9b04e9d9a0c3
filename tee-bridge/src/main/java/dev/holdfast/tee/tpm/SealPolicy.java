package dev.holdfast.tee.tpm;

import dev.holdfast.tee.software.SoftwareState;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.security.interfaces.ECPublicKey;
import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/** When the TEE opens a sealed secret again. */
public sealed interface SealPolicy {
    /** Always, on this device (PolicyCommandCode of TPM2_Unseal). */
    record ThisDevice() implements SealPolicy {}

    /**
     * While PCRs hold these values (PolicyPCR).
     *
     * @param values PCR number, 0 to 23, to value; at least one
     */
    record Registers(SortedMap<Integer, Sha256> values) implements SealPolicy {
        public Registers {
            values = Collections.unmodifiableSortedMap(new TreeMap<>(values));
            if (values.isEmpty() || values.firstKey() < 0 || values.lastKey() > 23) {
                throw new IllegalArgumentException("PCRs " + values.keySet());
            }
        }
    }

    /**
     * In any state of the registers that this key approved, before or after the sealing (PolicyAuthorize).
     *
     * @param anchor the approver's ES256 key
     * @param purpose what the approval is for, the policyRef: at most 32 bytes, may be empty
     */
    record AuthorizedBy(ECPublicKey anchor, Binary purpose) implements SealPolicy {
        public AuthorizedBy {
            if (purpose.length() > Sha256.BYTES) {
                throw new IllegalArgumentException("a purpose of " + purpose.length() + " bytes");
            }
        }
    }

    /** The digest that the TPM compares (TPM 2.0 Library Part 3, 23); equal to what {@code tpm2_policy*} print. */
    default Sha256 digest() {
        return switch (this) {
            case ThisDevice() ->
                Sha256.of(new TpmWriter()
                        .bytes(new byte[Sha256.BYTES])
                        .u32(Tpm.CC_POLICY_COMMAND_CODE)
                        .u32(Tpm.CC_UNSEAL)
                        .toArray());
            case Registers(var values) -> pcrs(SoftwareState.ZERO, values);
            case AuthorizedBy(ECPublicKey anchor, Binary purpose) -> {
                Sha256 byKey = Sha256.of(new TpmWriter()
                        .bytes(new byte[Sha256.BYTES])
                        .u32(Tpm.CC_POLICY_AUTHORIZE)
                        .bytes(TpmPublic.name(TpmPublic.verifier(anchor)))
                        .toArray());
                yield Sha256.of(byKey.toArray(), purpose.toArray());
            }
        };
    }

    /** PolicyPCR after {@code before} (Part 3, 23.7). */
    static Sha256 pcrs(Sha256 before, SortedMap<Integer, Sha256> values) {
        TpmWriter concatenated = new TpmWriter();
        values.values().forEach(value -> concatenated.bytes(value.toArray()));
        TpmWriter extended = new TpmWriter().bytes(before.toArray()).u32(Tpm.CC_POLICY_PCR);
        TpmAttest.select(extended.u32(1), TpmAttest.Selection.sha256(values.keySet()));
        return Sha256.of(
                extended.bytes(Sha256.of(concatenated.toArray()).toArray()).toArray());
    }
}
