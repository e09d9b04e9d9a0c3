package dev.holdfast.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.engine.Penalties;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code holdfast model logits}, {@code embed} and {@code generate}: what a model computes. */
final class ModelRunCommands {
    private ModelRunCommands() {}

    @Command(name = "logits", description = "Writes logits as raw little-endian float32.")
    static final class Logits extends ModelCommands.OnFile {
        @Option(names = "--tokens", required = true)
        String tokens = "";

        @Option(names = "--all", description = "of every position, not only the last")
        boolean all;

        @Option(names = "--out", required = true)
        Path out = Path.of("logits.f32");

        @Override
        public Integer call() throws Exception {
            try (ModelRunner runner = open()) {
                print(Json.object()
                        .put("rows", runner.logits(ids(tokens), all, out).orThrow()));
            }
            return 0;
        }
    }

    @Command(name = "embed", description = "Shows the vector of a text, of length one.")
    static final class Embed extends ModelCommands.OnFile {
        @Option(names = "--text", required = true)
        String text = "";

        @Override
        public Integer call() throws RejectedException {
            try (ModelRunner runner = open()) {
                Embedding made = runner.embed(text).orThrow();
                ObjectNode result = Json.object().put("tokens", made.tokens()).put("norm", made.norm());
                ArrayNode vector = result.putArray("embedding");
                for (float value : made.vector()) {
                    vector.add(value);
                }
                print(result);
            }
            return 0;
        }
    }

    @Command(name = "generate", description = "Continues a text or token ids.")
    static final class Generate extends ModelCommands.OnFile {
        @Option(names = "--text")
        @Nullable
        String text;

        @Option(names = "--tokens")
        @Nullable
        String tokens;

        @Option(names = "--max-tokens", defaultValue = "64")
        int maxTokens = 64;

        @Option(names = "--temperature", defaultValue = "0")
        double temperature;

        @Option(names = "--top-k", defaultValue = "0", description = "only so many most likely tokens; 0 for all")
        int topK;

        @Option(names = "--top-p", defaultValue = "1")
        double topP = 1;

        @Option(names = "--min-p", defaultValue = "0")
        double minP;

        @Option(names = "--repetition-penalty", defaultValue = "1")
        double repetitionPenalty = 1;

        @Option(names = "--presence-penalty", defaultValue = "0")
        double presencePenalty;

        @Option(names = "--frequency-penalty", defaultValue = "0")
        double frequencyPenalty;

        @Option(names = "--seed", defaultValue = "0")
        long seed;

        @Option(
                names = "--draft",
                paramLabel = "FILE",
                description = "a smaller model of the same vocabulary, which guesses ahead; the text stays the same")
        @Nullable
        Path draft;

        private Sampling sampling() throws RejectedException {
            try {
                Penalties penalties = new Penalties(repetitionPenalty, presencePenalty, frequencyPenalty);
                return new Sampling(temperature, topK, topP, minP, penalties, seed);
            } catch (IllegalArgumentException e) {
                throw new RejectedException(Code.API_REQUEST, "out of range: " + e.getMessage());
            }
        }

        @Override
        public Integer call() throws RejectedException {
            try (ModelRunner runner = open()) {
                if (draft != null) {
                    runner.draft(draft, CacheType.of(cache).orThrow()).orThrow();
                }
                int[] prompt = tokens != null
                        ? ids(tokens)
                        : runner.prompt(text == null ? "" : text).orThrow();
                ModelRunner.Continuation made =
                        runner.generate(prompt, maxTokens, sampling()).orThrow();
                ObjectNode result = Json.object()
                        .put("text", made.text())
                        .put("finish", made.finish().toString().toLowerCase(Locale.ROOT))
                        .put("first_token_millis", made.firstTokenMillis())
                        .put("tokens_per_second", made.tokensPerSecond());
                if (draft != null) {
                    result.put("guessed", made.guessed()).put("right", made.right());
                }
                put(result.putArray("tokens"), made.tokens());
                print(result);
            }
            return 0;
        }
    }
}
