package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.PromptWriter;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.wire.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The demo's encoder through our own engine: sentences that mean the same are near each other. */
class DemoEncoderQualityTest {
    private static final Path DEMO = Path.of("../../demo");
    private static final Path MODEL = DEMO.resolve("sentence-1.0.0.gguf");
    private static final int MAX_JSON_BYTES = 1 << 20;
    private static final int CONTEXT_TOKENS = 64;
    /** The held-out sentences are sorted by intent; every third one gives all intents their share. */
    private static final int EVERY = 3;

    private record Item(String intent, float[] vector) {}

    @Test
    void nearestHeldOutSentenceHasTheSameIntent() throws Exception {
        try (ModelRunner runner = ModelRunner.open(MODEL, CONTEXT_TOKENS, 1).orThrow()) {
            List<Item> items = heldOut(runner);
            int right = 0;
            for (Item item : items) {
                right += nearest(item, items).intent.equals(item.intent) ? 1 : 0;
            }
            double share = 100.0 * right / items.size();
            System.out.printf("sentence 1.0.0: the nearest of %d has the same intent: %.2f %%%n", items.size(), share);
            assertThat(items).hasSize(330);
            assertThat(items.stream().map(Item::intent).distinct()).hasSize(9);
            assertThat(share).isGreaterThan(95);
        }
    }

    @Test
    void handWrittenExamplesTellTheIntentsOfHeldOutSentences() throws Exception {
        try (ModelRunner runner = ModelRunner.open(MODEL, CONTEXT_TOKENS, 1).orThrow()) {
            List<Item> examples = new ArrayList<>();
            for (JsonNode canary : Json.read(Files.readAllBytes(DEMO.resolve("canaries-2.0.0.json")), MAX_JSON_BYTES)
                    .orThrow()) {
                examples.add(item(runner, canary.get("prompt").textValue(), canary.get("expect")));
            }
            List<Item> items = heldOut(runner);
            long right = items.stream()
                    .filter(item -> nearest(item, examples).intent.equals(item.intent))
                    .count();
            assertThat(100.0 * right / items.size()).isGreaterThan(95);
        }
    }

    @Test
    void sameMeaningIsNearAndAnotherIsFar() throws Exception {
        try (ModelRunner runner = ModelRunner.open(MODEL, CONTEXT_TOKENS, 1).orThrow()) {
            float[] wanted = runner.embed("turn on the kitchen light").orThrow().vector();
            assertThat(cosine(
                            wanted,
                            runner.embed("Lights on in the kitchen, please")
                                    .orThrow()
                                    .vector()))
                    .isGreaterThan(0.8);
            assertThat(cosine(
                            wanted,
                            runner.embed("play some jazz in the bathroom")
                                    .orThrow()
                                    .vector()))
                    .isLessThan(0.4);
        }
    }

    @Test
    void templateForPublishingFitsTheVocabulary() throws Exception {
        JsonNode template = Json.read(Files.readAllBytes(DEMO.resolve("sentence-template.json")), MAX_JSON_BYTES)
                .orThrow();
        try (MappedModel mapped = MappedModel.map(MODEL).orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            PromptWriter prompts = PromptWriter.bind(ChatTemplate.read(template).orThrow(), tokenizer)
                    .orThrow();
            String sentence = "lock the front door";
            assertThat(prompts.write(List.of(new Message("user", sentence))).orThrow())
                    .isEqualTo(tokenizer.encode(sentence, true));
        }
    }

    private static List<Item> heldOut(ModelRunner runner) throws Exception {
        List<String> lines = new ArrayList<>(Files.readAllLines(DEMO.resolve("heldout/six.jsonl")));
        lines.addAll(Files.readAllLines(DEMO.resolve("heldout/three.jsonl")));
        List<Item> items = new ArrayList<>();
        for (int i = 0; i < lines.size(); i += EVERY) {
            JsonNode line = TinyStore.node(lines.get(i));
            items.add(item(runner, line.get("sentence").textValue(), line.get("expected")));
        }
        return items;
    }

    private static Item item(ModelRunner runner, String sentence, JsonNode action) throws Exception {
        return new Item(
                TinyStore.node(action.textValue()).get("intent").textValue(),
                runner.embed(sentence).orThrow().vector());
    }

    private static Item nearest(Item item, List<Item> among) {
        return among.stream()
                .filter(other -> other != item)
                .max(Comparator.comparingDouble(other -> cosine(item.vector, other.vector)))
                .orElseThrow();
    }

    /** Vectors of an embedding have length one. */
    private static double cosine(float[] left, float[] right) {
        double sum = 0;
        for (int i = 0; i < left.length; i++) {
            sum += left[i] * right[i];
        }
        return sum;
    }
}
