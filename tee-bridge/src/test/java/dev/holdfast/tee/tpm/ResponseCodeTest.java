package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongUnaryOperator;
import org.junit.jupiter.api.Test;

/** A TPM of which only the response codes matter. */
class ResponseCodeTest {
    private static final Sha256 DIGEST = new Sha256(Binary.copyOf(new byte[32]));

    private static byte[] answer(byte[] command, Map<Long, String> properties, LongUnaryOperator codes) {
        ByteBuffer asked = ByteBuffer.wrap(command);
        long code = asked.getInt(6);
        TpmWriter body = new TpmWriter();
        long rc = Tpm.RC_SUCCESS;
        if (code == Tpm.CC_STARTUP) {
            rc = Tpm.RC_INITIALIZE;
        } else if (code == Tpm.CC_GET_CAPABILITY) {
            long property = Integer.toUnsignedLong(asked.getInt(14));
            String text = properties.get(property);
            body.u8(0).u32(Integer.toUnsignedLong(asked.getInt(10))).u32(text == null ? 0 : 1);
            if (text != null) {
                body.u32(property).bytes(text.getBytes(StandardCharsets.ISO_8859_1));
            }
        } else {
            rc = codes.applyAsLong(code);
        }
        byte[] rest = body.toArray();
        return new TpmWriter()
                .u16(Tpm.ST_NO_SESSIONS)
                .u32(10 + rest.length)
                .u32(rc)
                .bytes(rest)
                .toArray();
    }

    private static Tpm2Bridge bridge(Map<Long, String> properties, LongUnaryOperator codes) throws TeeException {
        return Tpm2Bridge.open(() -> TpmWire.to(command -> answer(command, properties, codes)), Tpm2Options.DEFAULT);
    }

    private static void assertSignFails(LongUnaryOperator codes, Code expected) throws TeeException {
        try (Tpm2Bridge bridge = bridge(Map.of(), codes)) {
            assertThatThrownBy(() -> bridge.signer().orElseThrow().sign(DIGEST))
                    .isInstanceOfSatisfying(
                            TeeException.class, e -> assertThat(e.code()).isEqualTo(expected));
        }
    }

    @Test
    void namesLockoutByItsOwnCode() throws Exception {
        assertSignFails(code -> Tpm.RC_LOCKOUT, Code.TEE_LOCKOUT);
    }

    @Test
    void givesUpOnRetryAfterABoundedNumberOfTries() throws Exception {
        AtomicInteger tries = new AtomicInteger();
        assertSignFails(
                code -> {
                    tries.incrementAndGet();
                    return Tpm.RC_RETRY;
                },
                Code.TEE_UNAVAILABLE);
        assertThat(tries).hasValueBetween(3, 20);
    }

    @Test
    void neverTakesAnOddCodeForSuccess() throws Exception {
        for (long rc : new long[] {0x80280400L, 0x400, 0x101, 0x8ff, 0x1df, 0xffffffffL}) {
            assertSignFails(code -> rc, Code.TEE_REFUSED);
        }
    }

    @Test
    void callsAMakersTpmFirmwareAndNeverHardware() throws Exception {
        try (Tpm2Bridge bridge = bridge(Map.of(0x105L, "IFX\0", 0x106L, "SLB9", 0x107L, "670\0"), code -> 0x101)) {
            assertThat(bridge.describe().assurance()).isEqualTo(Assurance.FIRMWARE);
            assertThat(bridge.describe().detail()).startsWith("IFX: SLB9670");
        }
        try (Tpm2Bridge bridge = bridge(Map.of(0x105L, "IBM\0", 0x106L, "SW  "), code -> 0x101)) {
            assertThat(bridge.describe().assurance()).isEqualTo(Assurance.EMULATED);
        }
    }
}
