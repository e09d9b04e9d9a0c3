package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What a TPM attests has one form, and covers what it says and nothing else. */
class AttestFormTest {
    private static final SortedMap<Integer, Binary> REGISTERS =
            new TreeMap<>(java.util.Map.of(14, Sha256.of().value(), 15, Binary.copyOf(new byte[32])));

    private static TpmAttest.Quoted quoted(SortedMap<Integer, Binary> values, TpmAttest.Selection... selections) {
        MessageDigest digest = Sha256.newDigest();
        values.values().forEach(value -> value.update(digest));
        return new TpmAttest.Quoted(List.of(selections), Sha256.finish(digest).value());
    }

    private static TpmAttest attest(TpmAttest.Body body) {
        return new TpmAttest(Binary.copyOf(new byte[34]), Binary.copyOf(new byte[32]), 7, 3, 1, true, 5, body);
    }

    @Test
    void aQuoteIsReadAsItIsWritten() throws Exception {
        TpmAttest quote = attest(quoted(REGISTERS, TpmAttest.Selection.sha256(REGISTERS.keySet())));
        assertThat(TpmAttest.parse(quote.encode()).orThrow()).isEqualTo(quote);
    }

    @Test
    void whatATpmDidNotMakeIsNoQuote() {
        byte[] bytes = attest(quoted(REGISTERS)).encode().toArray();
        for (int at = 0; at < 4; at++) {
            byte[] other = bytes.clone();
            other[at] ^= 1;
            assertThat(TpmAttest.parse(Binary.copyOf(other)).isAccepted()).isFalse();
        }
        assertThat(TpmAttest.parse(Binary.copyOf(Arrays.copyOf(bytes, bytes.length + 1)))
                        .isAccepted())
                .as("a byte behind the end")
                .isFalse();
        assertThat(TpmAttest.parse(Binary.copyOf(bytes, 0, bytes.length - 1)).isAccepted())
                .isFalse();
    }

    @Test
    void aQuoteCoversItsRegistersAndNoOthers() {
        TpmAttest.Selection both = TpmAttest.Selection.sha256(REGISTERS.keySet());
        assertThat(quoted(REGISTERS, both).covers(REGISTERS)).isTrue();
        assertThat(quoted(REGISTERS, TpmAttest.Selection.sha256(List.of(13, 14)))
                        .covers(REGISTERS))
                .as("the same values of other registers")
                .isFalse();
        assertThat(quoted(REGISTERS, new TpmAttest.Selection(0x4, both.mask())).covers(REGISTERS))
                .as("of another bank")
                .isFalse();
        assertThat(quoted(REGISTERS, both, both).covers(REGISTERS)).isFalse();
        SortedMap<Integer, Binary> changed = new TreeMap<>(REGISTERS);
        changed.put(15, Sha256.of().value());
        assertThat(quoted(REGISTERS, both).covers(changed)).isFalse();
    }

    @Test
    void aFieldHasItsBound() throws Exception {
        byte[] three = {0, 3, 1, 2, 3};
        assertThat(new TpmReader(three).sized(3).length()).isEqualTo(3);
        org.assertj.core.api.Assertions.assertThatThrownBy(() -> new TpmReader(three).sized(2))
                .isInstanceOf(dev.holdfast.wire.RejectedException.class);
    }
}
