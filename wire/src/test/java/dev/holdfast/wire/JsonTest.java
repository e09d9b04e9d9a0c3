package dev.holdfast.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "{", "{}x", "{\"a\":1,\"a\":2}", "NaN", "{'a':1}", "[1,]", "\u0000"})
    void refusesWhatIsNotStrict(String text) {
        assertThat(Json.read(utf8(text), 1024)).isInstanceOf(Verdict.Rejected.class);
    }

    @Test
    void refusesDeepNestingAndLongNumbers() {
        assertThat(Json.read(utf8("[".repeat(10_000)), 20_000).isAccepted()).isFalse();
        assertThat(Json.read(utf8("1".repeat(10_000)), 20_000).isAccepted()).isFalse();
    }

    @Test
    void refusesMoreBytesThanAllowed() {
        Verdict<?> verdict = Json.read(utf8("{\"a\":\"0123456789\"}"), 8);
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        rejected -> assertThat(rejected.reason().code()).isEqualTo(Code.WIRE_TOO_LARGE));
    }
}
