package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.Fixtures;
import dev.holdfast.engine.MappedModel;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
    @ParameterizedTest
    @ValueSource(strings = {"llama-spm", "phi-3", "gpt-2", "bert-bge"})
    void tokensAgreeWithTheReference(String name) throws Exception {
        String base = "tokenizers/ggml-vocab-" + name + ".gguf";
        String[] texts = Files.readString(Fixtures.path(base + ".inp")).split("\n__ggml_vocab_test__\n", -1);
        List<String> lines = Files.readAllLines(Fixtures.path(base + ".out"));
        try (MappedModel mapped = MappedModel.map(Fixtures.path(base)).orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            assertThat(lines.size()).isGreaterThan(40);
            for (int i = 0; i < lines.size(); i++) {
                int[] expected = lines.get(i).isBlank()
                        ? new int[0]
                        : Arrays.stream(lines.get(i).trim().split(" "))
                                .mapToInt(Integer::parseInt)
                                .toArray();
                assertThat(tokenizer.encode(texts[i], true)).as(texts[i]).isEqualTo(expected);
                if (!(tokenizer instanceof WordPieceTokenizer)) {
                    assertThat(tokenizer.decode(expected)).isEqualTo(texts[i]);
                }
            }
        }
    }

    @Test
    void tokensAgreeWithTheReferenceForTheSmallVocabulary() throws Exception {
        JsonNode cases = Fixtures.json("tokenizer-own-spm.json");
        try (MappedModel mapped =
                MappedModel.map(Fixtures.path("models/llama-s-F32.gguf")).orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            for (JsonNode one : cases.get("cases")) {
                assertThat(tokenizer.encodeText(one.get("text").textValue())).isEqualTo(Fixtures.ints(one.get("ids")));
            }
        }
    }

    @Test
    void anyTextSurvivesTheRoundTripAndYieldsNoControlToken() throws Exception {
        try (MappedModel mapped = MappedModel.map(Fixtures.path("tokenizers/ggml-vocab-phi-3.gguf"))
                .orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            Vocabulary vocabulary = tokenizer.vocabulary();
            Random random = new Random(7);
            for (int round = 0; round < 3000; round++) {
                StringBuilder text = new StringBuilder("x");
                for (int i = random.nextInt(1, 12); i > 0; i--) {
                    text.append(
                            random.nextBoolean()
                                    ? vocabulary.text(random.nextInt(vocabulary.size()))
                                    : Character.toString(random.nextInt(0x20, 0x3000)));
                }
                String plain = text.toString().replace('\u2581', '_');
                int[] ids = tokenizer.encode(plain, true);
                assertThat(tokenizer.decode(ids)).isEqualTo(plain);
                assertThat(Arrays.stream(ids).anyMatch(vocabulary::isControl)).isFalse();
            }
        }
    }

    @Test
    void everyControlTokensNameIsPlainText() throws Exception {
        try (MappedModel mapped = MappedModel.map(Fixtures.path("tokenizers/ggml-vocab-phi-3.gguf"))
                .orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            Vocabulary vocabulary = tokenizer.vocabulary();
            int checked = 0;
            for (int id = 0; id < vocabulary.size(); id++) {
                if (vocabulary.isControl(id)) {
                    assertThat(Arrays.stream(tokenizer.encode(vocabulary.text(id), true))
                                    .anyMatch(vocabulary::isControl))
                            .isFalse();
                    checked++;
                }
            }
            assertThat(checked).isGreaterThan(5);
        }
    }

    @Test
    void byteLevelTextSurvivesTheRoundTrip() throws Exception {
        try (MappedModel mapped = MappedModel.map(Fixtures.path("tokenizers/ggml-vocab-gpt-2.gguf"))
                .orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            Random random = new Random(11);
            for (int round = 0; round < 3000; round++) {
                String text = random.ints(random.nextInt(40), 0, 0x2fff)
                        .mapToObj(c -> random.nextInt(3) == 0
                                ? " \t\n'sx1".substring(c % 7, c % 7 + 1)
                                : Character.toString(c))
                        .collect(Collectors.joining());
                assertThat(tokenizer.decode(tokenizer.encode(text, true))).isEqualTo(text);
            }
        }
    }

    @Test
    void anEmbeddingsTextStandsBetweenItsFrame() throws Exception {
        try (MappedModel mapped = MappedModel.map(Fixtures.path("tokenizers/ggml-vocab-bert-bge.gguf"))
                .orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            assertThat(tokenizer.encodeText("Caf\u00e9 [SEP] is closed."))
                    .startsWith(101)
                    .endsWith(102)
                    .containsOnlyOnce(101)
                    .containsOnlyOnce(102);
            assertThat(tokenizer.decode(tokenizer.encodeText("Caf\u00e9 UNBELIEVABLY")))
                    .isEqualTo("cafe unbelievably");
            assertThat(tokenizer.encode("x".repeat(101), true)).containsExactly(100);
        }
    }
}
