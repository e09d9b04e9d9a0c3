package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The fields of a report that need no key to be read. All numbers are little-endian.
 *
 * <pre>
 * tdx_guest   a quote of Intel's DCAP library, versions 4 and 5: header of 48 bytes (0 u16 version, 4 u32 TEE type 0x81),
 *             in version 5 then u16 type and u32 size of the body; body (TDX 1.0: 584 bytes): 120 TDATTRIBUTES (8; bit 0
 *             DEBUG)  136 MRTD (48)  520 REPORTDATA (64)
 * sev_guest   ATTESTATION_REPORT of the SEV-SNP firmware ABI, 7.3, 1184 bytes: 0 u32 version (2 and later)
 *             8 POLICY (8; bit 19 DEBUG)  52 u32 signature algorithm (1: ECDSA P-384)  80 REPORT_DATA (64)  144 MEASUREMENT (48)
 * </pre>
 *
 * <p>The signature is <em>not</em> checked, nor the chain of certificates to Intel's or AMD's root. So anyone can make such
 * a report, and it raises no assurance; it can only take trust away where it does not fit.
 *
 * @param reportData what the guest asked to be signed, 64 bytes
 * @param measurement what the guard says was loaded into the machine at its start, 48 bytes
 * @param debug whether the host may look into the machine
 */
record VmReport(Binary reportData, Binary measurement, boolean debug) {
    static final String TDX = "tdx_guest";
    static final String SEV_SNP = "sev_guest";

    private static final int TDX_HEADER_BYTES = 48;
    private static final int TDX_BODY_BYTES = 584;
    private static final int TDX_TEE_TYPE = 0x81;
    private static final int SNP_BYTES = 1184;
    private static final int MEASUREMENT_BYTES = 48;
    private static final int REPORT_DATA_BYTES = 64;

    /** Reads the report of a provider that is known here. */
    static Verdict<VmReport> parse(VmEvidence evidence) {
        return Verdict.of(() -> {
            byte[] bytes = evidence.report().toArray();
            return switch (evidence.provider()) {
                case TDX -> tdx(bytes);
                case SEV_SNP -> snp(bytes);
                default -> throw malformed("the format " + evidence.provider() + " is not known here");
            };
        });
    }

    private static VmReport tdx(byte[] bytes) throws RejectedException {
        requireLength(bytes, TDX_HEADER_BYTES + TDX_BODY_BYTES);
        ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int version = Short.toUnsignedInt(in.getShort(0));
        if (version != 4 && version != 5 || in.getInt(4) != TDX_TEE_TYPE) {
            throw malformed("no TDX quote of version 4 or 5");
        }
        int body = TDX_HEADER_BYTES + (version == 5 ? 6 : 0);
        requireLength(bytes, body + TDX_BODY_BYTES);
        if (version == 5 && in.getInt(TDX_HEADER_BYTES + 2) < TDX_BODY_BYTES) {
            throw malformed("a body of " + in.getInt(TDX_HEADER_BYTES + 2) + " bytes");
        }
        return new VmReport(
                Binary.copyOf(bytes, body + 520, REPORT_DATA_BYTES),
                Binary.copyOf(bytes, body + 136, MEASUREMENT_BYTES),
                (in.get(body + 120) & 1) != 0);
    }

    private static VmReport snp(byte[] bytes) throws RejectedException {
        if (bytes.length != SNP_BYTES) {
            throw malformed("a report of SEV-SNP has " + SNP_BYTES + " bytes, not " + bytes.length);
        }
        ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (in.getInt(0) < 2 || in.getInt(52) != 1) {
            throw malformed("no report of SEV-SNP signed by ECDSA P-384");
        }
        return new VmReport(
                Binary.copyOf(bytes, 80, REPORT_DATA_BYTES),
                Binary.copyOf(bytes, 144, MEASUREMENT_BYTES),
                (in.getLong(8) >> 19 & 1) != 0);
    }

    private static void requireLength(byte[] bytes, int length) throws RejectedException {
        if (bytes.length < length) {
            throw malformed("the report ends after " + bytes.length + " bytes");
        }
    }

    private static RejectedException malformed(String detail) {
        return new RejectedException(Code.ATT_FORMAT, detail);
    }
}
