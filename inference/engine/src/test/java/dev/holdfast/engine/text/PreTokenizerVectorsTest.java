package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.MappedModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tokens against llama.cpp's, with a vocabulary that shows every cut. */
class PreTokenizerVectorsTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", "smollm", "llama-bpe", "qwen2"})
    void tokensAreThoseOfThePeer(String name) throws Exception {
        PreTokenizerVectors vectors = PreTokenizerVectors.read();
        Path file = folder.resolve("vocabulary.gguf");
        PreTokenizerVectors.writeVocabulary(vectors.texts(), name, file);
        List<int[]> expected = vectors.tokens().getOrDefault(name, List.of());
        assertThat(expected).hasSameSizeAs(vectors.texts()).hasSizeGreaterThan(200);
        try (MappedModel mapped = MappedModel.map(file).orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            for (int i = 0; i < expected.size(); i++) {
                String text = vectors.texts().get(i);
                assertThat(tokenizer.encode(text, true)).as(text).isEqualTo(expected.get(i));
                assertThat(tokenizer.decode(expected.get(i))).isEqualTo(text);
            }
        }
    }

    /** Else the vectors could not tell one pre-tokenizer from another. */
    @Test
    void eachPreTokenizerCutsSomeTextInItsOwnWay() throws Exception {
        PreTokenizerVectors vectors = PreTokenizerVectors.read();
        int distinct = 0;
        for (int i = 0; i < vectors.texts().size(); i++) {
            Set<List<Integer>> ways = new HashSet<>();
            for (List<int[]> rows : vectors.tokens().values()) {
                ways.add(Arrays.stream(rows.get(i)).boxed().toList());
            }
            distinct += ways.size() == PreTokenizerVectors.NAMES.size() ? 1 : 0;
        }
        assertThat(distinct).isGreaterThan(10);
    }
}
