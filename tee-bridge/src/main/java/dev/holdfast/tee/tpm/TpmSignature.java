package dev.holdfast.tee.tpm;

import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Verdict;
import java.util.Arrays;

/** TPMT_SIGNATURE for ECDSA with SHA-256 (TPM 2.0 Library Part 2, 11.3.4), to and from r || s. */
public final class TpmSignature {
    private TpmSignature() {}

    /** The signature as r || s, 64 bytes. */
    public static Verdict<Binary> toP1363(Binary tpmtSignature) {
        return Verdict.of(() -> {
            TpmReader reader = new TpmReader(tpmtSignature.toArray());
            if (reader.u16() != Tpm.ALG_ECDSA || reader.u16() != Tpm.ALG_SHA256) {
                throw reader.malformed("the signature is not ECDSA with SHA-256");
            }
            byte[] out = new byte[P256.SIGNATURE_BYTES];
            for (int half = 1; half <= 2; half++) {
                byte[] number = reader.sized(P256.FIELD_BYTES).toArray();
                System.arraycopy(number, 0, out, half * P256.FIELD_BYTES - number.length, number.length);
            }
            reader.end();
            return Binary.copyOf(out);
        });
    }

    /** The structure that holds r || s. */
    public static Binary fromP1363(byte[] signature) {
        return new TpmWriter()
                .u16(Tpm.ALG_ECDSA)
                .u16(Tpm.ALG_SHA256)
                .sized(Arrays.copyOfRange(signature, 0, P256.FIELD_BYTES))
                .sized(Arrays.copyOfRange(signature, P256.FIELD_BYTES, P256.SIGNATURE_BYTES))
                .toBinary();
    }
}
