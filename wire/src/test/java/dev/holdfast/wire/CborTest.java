package dev.holdfast.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CborTest {
    private static byte[] hex(String text) {
        return HexFormat.of().parseHex(text);
    }

    @Test
    void writesTheShortestFormOfRfc8949AppendixA() {
        assertThat(CborWriter.write(Cbor.of(23))).isEqualTo(hex("17"));
        assertThat(CborWriter.write(Cbor.of(1000000000000L))).isEqualTo(hex("1b000000e8d4a51000"));
        assertThat(CborWriter.write(Cbor.of(-1000))).isEqualTo(hex("3903e7"));
        assertThat(CborWriter.write(Cbor.of("IETF"))).isEqualTo(hex("6449455446"));
        assertThat(CborWriter.write(Cbor.dict()
                        .put("b", Cbor.array(Cbor.of(2), Cbor.of(3)))
                        .put("a", Cbor.of(1))
                        .build()))
                .isEqualTo(hex("a26161016162820203"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "", // nothing
                "1817", // 23 in two bytes
                "9fff", // indefinite array
                "a2616101616102", // duplicate key
                "a2616201616102", // unsorted keys
                "0000", // trailing byte
                "5affffffff", // byte string of 4 GiB
                "9bffffffffffffffff", // array of 2^64
                "bb7fffffffffffffff", // map of 2^63
                "61ff", // text that is not valid UTF-8
                "fa00000000", // 32-bit float
                "1bffffffffffffffff" // integer beyond 63 bits
            })
    void refusesWhatIsNotDeterministic(String bytes) {
        assertThat(CborReader.read(hex(bytes), 1024)).isInstanceOf(Verdict.Rejected.class);
    }

    @Test
    void refusesDeepNestingWithoutRunningOutOfStack() {
        byte[] deep = new byte[50_000];
        java.util.Arrays.fill(deep, (byte) 0x81);
        assertThat(CborReader.read(deep, deep.length).isAccepted()).isFalse();
    }

    @Test
    void whatIsAcceptedIsWrittenBackToTheSameBytes() {
        Random random = new Random(7);
        int accepted = 0;
        for (int i = 0; i < 200_000; i++) {
            byte[] input = new byte[1 + random.nextInt(12)];
            random.nextBytes(input);
            if (CborReader.read(input, 64) instanceof Verdict.Accepted<Cbor>(Cbor item)) {
                accepted++;
                assertThat(CborWriter.write(item)).isEqualTo(input);
            }
        }
        assertThat(accepted).isGreaterThan(1000);
    }
}
