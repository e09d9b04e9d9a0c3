package dev.holdfast.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class CanonicalJsonTest {
    private static String canonical(String json) throws Exception {
        return new String(
                CanonicalJson.bytes(
                        Json.read(json.getBytes(StandardCharsets.UTF_8), 1000).orThrow()),
                StandardCharsets.UTF_8);
    }

    @Test
    void sortsNamesByCodePointAndDropsSpace() throws Exception {
        assertThat(canonical("{ \"\\uffff\": 1, \"\\ud83d\\ude00\": 2, \"a\": [true, null, {}] }"))
                .isEqualTo("{\"a\":[true,null,{}],\"\uffff\":1,\"\ud83d\ude00\":2}");
    }

    @Test
    void escapesBackslashAndQuotationMarkOnly() throws Exception {
        assertThat(canonical("\"a\\nb\\\\c\\\"d\\u00e9\"")).isEqualTo("\"a\nb\\\\c\\\"d\u00e9\"");
    }

    @Test
    void writesDecimalsPlainAndShort() throws Exception {
        assertThat(canonical("[0.90, 1e2, 12]")).isEqualTo("[0.9,100,12]");
    }
}
