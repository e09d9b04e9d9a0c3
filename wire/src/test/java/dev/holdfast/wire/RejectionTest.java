package dev.holdfast.wire;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Details come from peers, too: one line stays one line, and a terminal does what it did before. */
class RejectionTest {
    @Test
    void nothingInADetailEndsALineOrSteersATerminal() {
        for (String odd : new String[] {
            "\n", "\r", "\u001b[2J", "\u009b2J", "\u2028", "\u2029", "\u202e", "\u200f", "\ufeff", "\0"
        }) {
            Rejection rejection = new Rejection(Code.WIRE_FIELD, "before" + odd + "after");
            assertThat(rejection.toString())
                    .startsWith("WIRE-FIELD: before?")
                    .endsWith("after")
                    .doesNotContainPattern("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]");
        }
        assertThat(new Rejection(Code.WIRE_FIELD, "gr\u00fc\u00df \u4f60 \ud83d\ude00").detail())
                .isEqualTo("gr\u00fc\u00df \u4f60 \ud83d\ude00");
    }

    @Test
    void aDetailIsBounded() {
        assertThat(new Rejection(Code.WIRE_FIELD, "x".repeat(10_000)).detail()).hasSize(Rejection.MAX_DETAIL_CHARS);
    }
}
