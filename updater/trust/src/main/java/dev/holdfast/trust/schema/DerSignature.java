package dev.holdfast.trust.schema;

import java.math.BigInteger;
import java.util.Arrays;

/** Turns the DER form of an ECDSA signature on P-256 (RFC 3279 section 2.2.3) into r || s, strictly. */
final class DerSignature {
    private static final int COORDINATE_BYTES = 32;
    private static final int MAX_DER_BYTES = 72;

    private DerSignature() {}

    /** 64 bytes, or none where the input is not the one minimal encoding of two positive 256-bit integers. */
    static byte[] toP1363(byte[] der) {
        byte[] none = new byte[0];
        if (der.length < 8 || der.length > MAX_DER_BYTES || der[0] != 0x30 || der[1] != der.length - 2) {
            return none;
        }
        byte[] out = new byte[2 * COORDINATE_BYTES];
        int at = 2;
        for (int i = 0; i < 2; i++) {
            if (at + 2 > der.length || der[at] != 0x02) {
                return none;
            }
            int length = der[at + 1];
            int from = at + 2;
            if (length < 1 || from + length > der.length) {
                return none;
            }
            byte[] integer = Arrays.copyOfRange(der, from, from + length);
            BigInteger value = new BigInteger(integer);
            // BigInteger writes the minimal form, so any other one differs.
            if (value.signum() <= 0 || value.bitLength() > 256 || !Arrays.equals(integer, value.toByteArray())) {
                return none;
            }
            int skip = Math.max(0, integer.length - COORDINATE_BYTES);
            int count = integer.length - skip;
            System.arraycopy(integer, skip, out, (i + 1) * COORDINATE_BYTES - count, count);
            at = from + length;
        }
        return at == der.length ? out : none;
    }
}
