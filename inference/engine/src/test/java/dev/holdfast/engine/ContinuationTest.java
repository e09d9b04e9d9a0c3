package dev.holdfast.engine;

import static dev.holdfast.engine.ChainModel.byteToken;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a continuation begins and ends with. */
class ContinuationTest {
    /** The bytes of an emoji, each a token of its own, between letters. */
    private static final String[] EMOJI = {
        "\u2581a", byteToken(0xf0), byteToken(0x9f), byteToken(0x98), byteToken(0x80), "b", "</s>"
    };

    @TempDir
    Path folder;

    private String continued(ChainModel model, String prompt, int tokens) throws Exception {
        Path file = folder.resolve("m.gguf");
        model.write(file);
        try (ModelRunner runner = ModelRunner.open(file, 64, 1).orThrow()) {
            return runner.generate(runner.prompt(prompt).orThrow(), tokens, Sampling.GREEDY)
                    .orThrow()
                    .text();
        }
    }

    @Test
    void aWordBehindATextKeepsTheSpaceBeforeIt() throws Exception {
        ChainModel model = new ChainModel().chain("\u2581a", "\u2581b", "\u2581c", "</s>");
        assertThat(continued(model, "x a", 8)).isEqualTo(" b c");
    }

    @Test
    void aWordBehindAControlTokenLosesTheSpaceThatWasNotThere() throws Exception {
        ChainModel model = new ChainModel().chain("<s>", "\u2581b", "\u2581c", "</s>");
        // Nothing but the begin token is before it.
        assertThat(continued(model, "", 8)).isEqualTo("b c");
    }

    @Test
    void aTextThatIsContinuedDoesNotEndWithTheEndToken() throws Exception {
        ChainModel model = new ChainModel()
                .tokenizer("add_eos_token", true)
                .chain("\u2581a", "\u2581b", "</s>")
                .chain("</s>", "x");
        assertThat(continued(model, "a", 8)).isEqualTo(" b");
        Path file = folder.resolve("m.gguf");
        try (ModelRunner runner = ModelRunner.open(file, 64, 1).orThrow()) {
            assertThat(runner.prompt("a").orThrow()).containsExactly(1, model.id("\u2581a"));
            // A whole text, as one to embed or to show, has its frame.
            assertThat(runner.tokenize("a").orThrow()).containsExactly(1, model.id("\u2581a"), 2);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, ''", "2, ''", "3, ''", "4, \ud83d\ude00", "5, \ud83d\ude00b", "9, \ud83d\ude00b"})
    void aTextThatIsCutEndsOnAWholeCharacter(int tokens, String expected) throws Exception {
        assertThat(continued(new ChainModel().chain(EMOJI), "a", tokens)).isEqualTo(expected);
    }

    @Test
    void aTextThatTheModelEndsWithinACharacterEndsOnAWholeOne() throws Exception {
        ChainModel model = new ChainModel().chain("\u2581a", "b", byteToken(0xf0), byteToken(0x9f), "</s>");
        assertThat(continued(model, "a", 9)).isEqualTo("b");
    }
}
