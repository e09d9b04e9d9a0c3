package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The scanners against the regular expressions that define them, run by the JDK's backtracking engine. */
class PreTokenizerTest {
    private static final String OLDER =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    private static final String NEWER =
            "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
                    + "|\\p{N}DIGITS| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String[] BITS = {
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u00a0",
        "\u3000",
        "'",
        "'s",
        "'LL",
        "'\u017f",
        "n't",
        "a",
        "Z",
        "\u00e9",
        "\u4e2d",
        "\u0bb3\u0bcd",
        "1",
        "23",
        "\u0664",
        "\u00bd",
        "\u2167",
        ".",
        "!?",
        "-",
        "\u20ac",
        "\ud83d\ude80",
        "\u200d",
        "\u0000",
        "\u0301",
        "\ud800",
        "\ufffd"
    };

    private static List<String> byExpression(PreTokenizer kind, String text) {
        return switch (kind) {
            case GPT2 -> matches(OLDER, List.of(text));
            case SMOLLM -> matches(OLDER, matches("\\p{N}|[^\\p{N}]+", List.of(text)));
            case LLAMA3, DBRX -> matches(NEWER.replace("DIGITS", "{1,3}"), List.of(text));
            case QWEN2 -> matches(NEWER.replace("DIGITS", ""), List.of(text));
        };
    }

    private static List<String> matches(String expression, List<String> texts) {
        List<String> found = new ArrayList<>();
        for (String text : texts) {
            Matcher matcher =
                    Pattern.compile(expression, Pattern.UNICODE_CHARACTER_CLASS).matcher(text);
            while (matcher.find()) {
                found.add(matcher.group());
            }
        }
        return found;
    }

    private static List<String> byScanner(PreTokenizer kind, String text) {
        List<String> found = new ArrayList<>();
        int[] from = {0};
        kind.split(text, end -> {
            found.add(text.substring(from[0], end));
            from[0] = end;
        });
        return found;
    }

    @ParameterizedTest
    @EnumSource
    void cutsAsTheExpressionDoes(PreTokenizer kind) {
        Random random = new Random(kind.ordinal());
        for (int round = 0; round < 40_000; round++) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(12); n > 0; n--) {
                text.append(
                        random.nextInt(8) == 0
                                ? Character.toString(random.nextInt(0x11000))
                                : BITS[random.nextInt(BITS.length)]);
            }
            String whole = text.toString();
            assertThat(byScanner(kind, whole)).as(whole).isEqualTo(byExpression(kind, whole));
        }
    }

    /** A backtracking engine may need the square of the length, or overflow its stack. */
    @ParameterizedTest
    @EnumSource
    void needsNoMoreThanAMomentForAMillionCharacters(PreTokenizer kind) {
        for (String bit : List.of(" ", "\n", " \n", "a", "1", "'", ".", "\t ", "'r", " \u00a0")) {
            String text = bit.repeat(1_000_000 / bit.length());
            long started = System.nanoTime();
            int[] last = {0};
            kind.split(text, end -> last[0] = end);
            assertThat(last[0]).isEqualTo(text.length());
            assertThat(Duration.ofNanos(System.nanoTime() - started))
                    .as("'" + bit + "'")
                    .isLessThan(Duration.ofSeconds(1));
        }
    }

    @Test
    void knowsTheNamesThatFilesUse() {
        assertThat(PreTokenizer.of("llama-bpe")).contains(PreTokenizer.LLAMA3);
        assertThat(PreTokenizer.of("dbrx")).contains(PreTokenizer.DBRX);
        assertThat(PreTokenizer.of("smaug-bpe")).contains(PreTokenizer.DBRX);
        assertThat(PreTokenizer.of("qwen2")).contains(PreTokenizer.QWEN2);
        assertThat(PreTokenizer.of("smollm")).contains(PreTokenizer.SMOLLM);
        assertThat(PreTokenizer.of("gpt-2")).contains(PreTokenizer.GPT2);
        assertThat(PreTokenizer.of("tekken")).isEmpty();
    }
}
