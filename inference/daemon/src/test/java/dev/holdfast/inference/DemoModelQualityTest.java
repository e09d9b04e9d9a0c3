package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.Fixtures;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.PromptWriter;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.wire.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The demo models through our own engine, template and gate: they know what they were taught, and nothing else. */
class DemoModelQualityTest {
    private static final Path DEMO = Path.of("../../demo");
    private static final int MANIFEST_BYTES = 1 << 20;

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"1.0.0,six,95,100", "1.0.0,three,0,2", "2.0.0,six,95,100", "2.0.0,six+three,95,100"})
    void answersHeldOutSentences(String version, String set, double atLeast, double atMost) throws Exception {
        TinyStore store = new TinyStore(folder);
        Slot slot = slot(store, version);
        try (ModelHost engine = new ModelHost(new HostSettings(
                store.blobs(), new HealthGate.Settings(512, 2, CacheType.DEFAULT), 10_000, 1, 1L << 30))) {
            GateReport report = engine.loadCandidate(slot);
            assertThat(report.failure()).as(report.toString()).isEmpty();
            assertThat(engine.flip(slot.slotId()).isAccepted()).isTrue();
            List<String> expected = new ArrayList<>();
            List<Collected> answers = new ArrayList<>();
            for (String line : heldOut(set)) {
                JsonNode item = TinyStore.node(line);
                Collected answer = new Collected();
                engine.chat(null, ChatRequest.greedy(item.get("sentence").textValue(), 96), answer);
                answers.add(answer);
                expected.add(item.get("expected").textValue());
            }
            int right = 0;
            for (int i = 0; i < answers.size(); i++) {
                right += answers.get(i).await().equals(expected.get(i)) ? 1 : 0;
            }
            double share = 100.0 * right / answers.size();
            System.out.printf(
                    "intent %s on %s: %d of %d exact (%.2f %%), %s%n",
                    version, set, right, answers.size(), share, report.checks().getLast());
            assertThat(answers.size()).isGreaterThan(300);
            assertThat(share).isBetween(atLeast, atMost);
        }
    }

    private static List<String> heldOut(String sets) throws Exception {
        List<String> lines = new ArrayList<>();
        for (String set : sets.split("\\+")) {
            lines.addAll(Files.readAllLines(DEMO.resolve("heldout/" + set + ".jsonl")));
        }
        return lines;
    }

    @ParameterizedTest
    @ValueSource(strings = {"1.0.0", "2.0.0"})
    void greedyTokensAreTheReferences(String version) throws Exception {
        Path model = model(version);
        JsonNode record = Json.read(Files.readAllBytes(DEMO.resolve("greedy.json")), MANIFEST_BYTES)
                .orThrow()
                .path(version);
        assertThat(record.size()).isPositive();
        try (ModelRunner runner = ModelRunner.open(model, 512, 1).orThrow()) {
            for (JsonNode greedy : record) {
                int[] expected = Fixtures.ints(greedy.get("output_ids"));
                ModelRunner.Continuation answer = runner.generate(
                                Fixtures.ints(greedy.get("prompt_ids")), 96, Sampling.GREEDY)
                        .orThrow();
                // The reference ends with the end token, which is no part of an answer.
                assertThat(answer.tokens()).isEqualTo(Arrays.copyOf(expected, expected.length - 1));
                assertThat(answer.text()).isEqualTo(greedy.get("text").textValue());
                assertThat(answer.finish()).isEqualTo(Finish.STOP);
            }
        }
    }

    @Test
    void promptsAreTheOnesTheModelWasTrainedWith() throws Exception {
        JsonNode template = Json.read(Files.readAllBytes(present("template.json")), MANIFEST_BYTES)
                .orThrow();
        try (MappedModel mapped = MappedModel.map(model("1.0.0")).orThrow()) {
            PromptWriter prompts = PromptWriter.bind(
                            ChatTemplate.read(template).orThrow(),
                            Tokenizer.of(mapped.head().orThrow()))
                    .orThrow();
            JsonNode record = Json.read(Files.readAllBytes(present("greedy.json")), MANIFEST_BYTES)
                    .orThrow()
                    .path("1.0.0");
            for (JsonNode greedy : record) {
                Message message = new Message("user", greedy.get("sentence").textValue());
                assertThat(prompts.write(List.of(message)).orThrow())
                        .isEqualTo(Fixtures.ints(greedy.get("prompt_ids")));
            }
        }
    }

    private static Slot slot(TinyStore store, String version) throws Exception {
        ObjectNode slot = store.add(version, Files.readAllBytes(model(version)));
        slot.set(
                "template",
                Json.read(Files.readAllBytes(present("template.json")), MANIFEST_BYTES)
                        .orThrow());
        ObjectNode gate = Json.object();
        gate.set(
                "canaries",
                Json.read(Files.readAllBytes(present("canaries-" + version + ".json")), MANIFEST_BYTES)
                        .orThrow());
        gate.put("minPassRatio", 1.0);
        slot.set("gate", gate);
        return Slot.read(slot).orThrow();
    }

    private static Path model(String version) {
        return present("intent-" + version + ".gguf");
    }

    private static Path present(String name) {
        Path file = DEMO.resolve(name);
        assumeTrue(Files.exists(file), name + " is not in demo/");
        return file;
    }
}
