package dev.holdfast.tee.tpm;

import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;

/** Which register of a TPM model events are extended into. Both start at zero with every reset of the TPM. */
public sealed interface TpmRegister {
    /** The register where nothing else is said. */
    TpmRegister DEFAULT = new Pcr(14);

    /** The number in {@link MeasurementRegister#index}: the PCR's, or the index. */
    int index();

    /**
     * A PCR.
     *
     * @param index 14 by default, which collides with shim's MOK measurements on PCs; 16 and 23 can be reset by any software,
     *     17 to 22 cannot be extended by it
     */
    record Pcr(int index) implements TpmRegister {
        public Pcr {
            requireExtendable(index);
        }

        /** Debug PCR 16 and application PCR 23 are reset from locality 0 (PC Client Platform TPM Profile). */
        public boolean resettable() {
            return index == 16 || index == 23;
        }

        @Override
        public String toString() {
            return "pcr:" + index;
        }
    }

    /**
     * An NV extend index. Anyone with the owner's authorization can remove it and define it again, so its policy lets the
     * first event in only while the guard is zero, and the guard is extended right after it: until the TPM is reset, an
     * index that was defined again stays without a value. The policy is part of the index's name, which TPM2_NV_Certify
     * signs.
     *
     * @param guardPcr a PCR that nothing else extends and that only a reset of the TPM brings back
     */
    record Nv(int guardPcr) implements TpmRegister {
        /** Beside the other indexes of {@link TpmNv}. */
        static final int INDEX = 0x018f4806;

        private static final Binary CAP = Sha256.of("holdfast register 1".getBytes(StandardCharsets.US_ASCII))
                .value();
        /** In RAM, and without a value after TPM2_Startup(CLEAR). */
        static final long ATTRIBUTES = Tpm.NV_TYPE_EXTEND
                | Tpm.NV_POLICYWRITE
                | Tpm.NV_OWNERREAD
                | Tpm.NV_AUTHREAD
                | Tpm.NV_NO_DA
                | Tpm.NV_ORDERLY
                | Tpm.NV_CLEAR_STCLEAR;

        public Nv {
            if (new Pcr(guardPcr).resettable()) {
                throw new IllegalArgumentException("software resets PCR " + guardPcr + ", so it guards nothing");
            }
        }

        @Override
        public int index() {
            return INDEX;
        }

        /** The name of the index once it has a value (TPM 2.0 Library Part 1, 16), which nothing else has. */
        public Binary name() {
            return TpmPublic.name(publicArea(true));
        }

        /** What the guard holds once it is extended. */
        public Sha256 capped() {
            return Sha256.of(new byte[Sha256.BYTES], CAP.toArray());
        }

        Sha256 cap() {
            return new Sha256(CAP);
        }

        /** TPMS_NV_PUBLIC (Part 2, 13.5). */
        Binary publicArea(boolean written) {
            return new TpmWriter()
                    .u32(INDEX)
                    .u16(Tpm.ALG_SHA256)
                    .u32(ATTRIBUTES | (written ? Tpm.NV_WRITTEN : 0))
                    .sized(policy().toArray())
                    .u16(Sha256.BYTES)
                    .toBinary();
        }

        /** PolicyOR of the two (Part 3, 23.6). */
        Sha256 policy() {
            return Sha256.of(new TpmWriter()
                    .bytes(new byte[Sha256.BYTES])
                    .u32(Tpm.CC_POLICY_OR)
                    .bytes(firstPolicy().toArray())
                    .bytes(laterPolicy().toArray())
                    .toArray());
        }

        /** The first event: PolicyNvWritten(NO) and PolicyPCR over a guard that is zero. */
        Sha256 firstPolicy() {
            Sha256 zero = new Sha256(Binary.copyOf(new byte[Sha256.BYTES]));
            return SealPolicy.pcrs(written(false), new java.util.TreeMap<>(java.util.Map.of(guardPcr, zero)));
        }

        /** Every other event: PolicyNvWritten(YES). */
        Sha256 laterPolicy() {
            return written(true);
        }

        private static Sha256 written(boolean set) {
            return Sha256.of(new TpmWriter()
                    .bytes(new byte[Sha256.BYTES])
                    .u32(Tpm.CC_POLICY_NV_WRITTEN)
                    .u8(set ? 1 : 0)
                    .toArray());
        }

        @Override
        public String toString() {
            return "nv:" + guardPcr;
        }
    }

    /** Reads {@code pcr:14}, or {@code nv:14} with the number of the guard. {@code CFG-INVALID}. */
    static Verdict<TpmRegister> parse(String text) {
        return Verdict.of(() -> {
            String[] parts = text.split(":", 2);
            if (parts.length != 2 || !parts[1].matches("[0-9]{1,2}")) {
                throw new RejectedException(Code.CFG_INVALID, "a register is pcr:N or nv:N, not " + text);
            }
            try {
                int pcr = Integer.parseInt(parts[1]);
                return switch (parts[0]) {
                    case "pcr" -> new Pcr(pcr);
                    case "nv" -> new Nv(pcr);
                    default ->
                        throw new RejectedException(Code.CFG_INVALID, "a register is pcr:N or nv:N, not " + text);
                };
            } catch (IllegalArgumentException e) {
                throw new RejectedException(Code.CFG_INVALID, "register " + text + ": " + e.getMessage());
            }
        });
    }

    private static void requireExtendable(int pcr) {
        if (pcr < 0 || pcr > 23 || (pcr >= 17 && pcr <= 22)) {
            throw new IllegalArgumentException("PCR " + pcr + " cannot take model events");
        }
    }
}
