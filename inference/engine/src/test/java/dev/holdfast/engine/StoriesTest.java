package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.kernels.CacheType;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A really trained, tiny model tells the same stories as in the reference engine. */
class StoriesTest {
    @ParameterizedTest
    @EnumSource(
            value = CacheType.class,
            names = {"F32", "F16"})
    void greedyContinuationsAreTheReferences(CacheType cache) throws Exception {
        JsonNode entry =
                Fixtures.json("stories260K/manifest.json").get("entries").get(0);
        try (ModelRunner runner = ModelRunner.open(
                        Fixtures.path("stories260K/" + entry.get("model").textValue()), 128, 1, cache)
                .orThrow()) {
            for (JsonNode greedy : entry.get("greedy")) {
                int[] prompt = Fixtures.ints(greedy.get("prompt_tokens"));
                assertThat(runner.tokenize(greedy.get("prompt").textValue()).orThrow())
                        .isEqualTo(prompt);
                ModelRunner.Continuation told =
                        runner.generate(prompt, 64, Sampling.GREEDY).orThrow();
                assertThat(told.tokens()).isEqualTo(Fixtures.ints(greedy.get("continuation_tokens")));
                assertThat(told.text())
                        .isEqualTo(greedy.get("continuation_text").textValue());
                assertThat(told.finish()).isEqualTo(Finish.LENGTH);
            }
        }
    }

    /** As near as the references' README asks of an engine that rounds to eight bits; the very words may differ. */
    @Test
    void aCacheOfBytesExpectsNearlyTheSame() throws Exception {
        Path file = Fixtures.path("stories260K/stories260K-F32.gguf");
        try (ModelRunner floats = ModelRunner.open(file, 128, 1, CacheType.F32).orThrow();
                ModelRunner bytes =
                        ModelRunner.open(file, 128, 1, CacheType.Q8_0).orThrow()) {
            int[] prompt = floats.tokenize("Once upon a time").orThrow();
            int[] story =
                    floats.generate(prompt, 120, Sampling.GREEDY).orThrow().tokens();
            ModelComparison compared =
                    ModelComparison.of(floats, bytes, story, 120).orThrow();
            assertThat(compared.meanDivergence()).isPositive().isLessThan(0.02);
        }
    }

    @Test
    void aTrainedModelExpectsItsOwnStoryMoreThanShuffledWords() throws Exception {
        try (ModelRunner runner = ModelRunner.open(Fixtures.path("stories260K/stories260K-F32.gguf"), 128, 1)
                .orThrow()) {
            int[] prompt = runner.tokenize("Once upon a time").orThrow();
            int[] story = runner.generate(prompt, 64, Sampling.GREEDY).orThrow().tokens();
            int[] backwards = new int[story.length];
            for (int i = 0; i < story.length; i++) {
                backwards[i] = story[story.length - 1 - i];
            }
            double told = Perplexity.of(runner, story, 32).orThrow().value();
            double shuffled = Perplexity.of(runner, backwards, 32).orThrow().value();
            assertThat(told).isLessThan(10);
            assertThat(shuffled).isGreaterThan(10 * told);
        }
    }
}
