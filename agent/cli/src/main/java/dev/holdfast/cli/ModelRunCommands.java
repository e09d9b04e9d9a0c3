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

    @Command(
            name = "logits",
            description = "Writes logits as raw little-endian float32.",
            footer = {"", "Example:", "  holdfast model logits chat.gguf --tokens 1,2,3 --out logits.f32"})
    static final class Logits extends ModelCommands.OnFile {
        @Option(names = "--tokens", paramLabel = "IDS", required = true, description = "token ids with commas between")
        String tokens = "";

        @Option(names = "--all", description = "of every position, not only the last")
        boolean all;

        @Option(names = "--out", paramLabel = "FILE", required = true, description = "the file to write")
        Path out = Path.of("logits.f32");

        @Override
        Integer run() throws Exception {
            try (ModelRunner runner = open()) {
                print(Json.object()
                        .put("rows", runner.logits(ids(tokens), all, out).orThrow()));
            }
            return 0;
        }
    }

    @Command(
            name = "embed",
            description = "Shows the vector of a text, of length one.",
            footer = {"", "Example:", "  holdfast model embed sentence.gguf --text \"open the window\" --json"})
    static final class Embed extends ModelCommands.OnFile {
        @Option(names = "--text", paramLabel = "TEXT", required = true, description = "the text")
        String text = "";

        @Override
        Integer run() throws RejectedException {
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

    @Command(
            name = "generate",
            description = "Continues a text or token ids.",
            footer = {"", "Example:", "  holdfast model generate chat.gguf --text \"Once upon\" --max-tokens 32"})
    static final class Generate extends ModelCommands.OnFile {
        @Option(names = "--text", paramLabel = "TEXT", description = "what to continue (empty)")
        @Nullable
        String text;

        @Option(names = "--tokens", paramLabel = "IDS", description = "the same as token ids with commas between")
        @Nullable
        String tokens;

        @Option(
                names = "--max-tokens",
                paramLabel = "N",
                defaultValue = "64",
                description = "most tokens of the continuation (${DEFAULT-VALUE})")
        int maxTokens = 64;

        @Option(
                names = "--temperature",
                paramLabel = "X",
                defaultValue = "0",
                description = "0 to 2; 0 is the most likely token (${DEFAULT-VALUE})")
        double temperature;

        @Option(
                names = "--top-k",
                paramLabel = "N",
                defaultValue = "0",
                description = "only so many most likely tokens; 0 for all (${DEFAULT-VALUE})")
        int topK;

        @Option(
                names = "--top-p",
                paramLabel = "P",
                defaultValue = "1",
                description = "only the most likely tokens of this share together, 0 to 1 (${DEFAULT-VALUE})")
        double topP = 1;

        @Option(
                names = "--min-p",
                paramLabel = "P",
                defaultValue = "0",
                description = "only tokens of this share of the most likely one's, 0 to 1 (${DEFAULT-VALUE})")
        double minP;

        @Option(
                names = "--repetition-penalty",
                paramLabel = "X",
                defaultValue = "1",
                description = "above 1 makes tokens that came less likely (${DEFAULT-VALUE})")
        double repetitionPenalty = 1;

        @Option(
                names = "--presence-penalty",
                paramLabel = "X",
                defaultValue = "0",
                description = "taken off once from tokens that came (${DEFAULT-VALUE})")
        double presencePenalty;

        @Option(
                names = "--frequency-penalty",
                paramLabel = "X",
                defaultValue = "0",
                description = "taken off for each time that a token came (${DEFAULT-VALUE})")
        double frequencyPenalty;

        @Option(
                names = "--seed",
                paramLabel = "N",
                defaultValue = "0",
                description = "of the random choice; the same seed gives the same text (${DEFAULT-VALUE})")
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
        Integer run() throws RejectedException {
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
                if (!isForPeople()) {
                    printJson(result);
                } else {
                    System.out.println(TerminalText.forStdout(made.text()));
                    System.err.printf(
                            Locale.ROOT,
                            "%d tokens, %s; first after %d ms, then %.1f a second%n",
                            made.tokens().length,
                            result.path("finish").asText(),
                            (long) made.firstTokenMillis(),
                            made.tokensPerSecond());
                }
            }
            return 0;
        }
    }
}
