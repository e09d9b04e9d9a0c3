package dev.holdfast.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.ModelBenchmark;
import dev.holdfast.engine.ModelComparison;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.engine.Perplexity;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code holdfast model perplexity} and {@code bench}: how well a model expects a text, and how fast it is. */
final class ModelMeasureCommands {
    private ModelMeasureCommands() {}

    @Command(
            name = "perplexity",
            description = "Measures perplexity over a text, and the divergence from a base model.",
            footer = {
                "",
                "Example:",
                "  holdfast model perplexity chat-q8.gguf --text-file book.txt --kl-base chat-f16.gguf"
            })
    static final class PerplexityCommand extends ModelCommands.OnFile {
        @Option(names = "--text-file", paramLabel = "FILE", required = true, description = "the text, in UTF-8")
        Path textFile = Path.of("");

        @Option(
                names = "--context",
                paramLabel = "N",
                defaultValue = "256",
                description = "tokens of each window of the text (${DEFAULT-VALUE})")
        int context = 256;

        @Option(
                names = "--kl-base",
                paramLabel = "BASE.gguf",
                description = "the model to compare with, such as F16 (none)")
        @Nullable
        Path base;

        @Override
        Integer run() throws Exception {
            try (ModelRunner runner = open()) {
                int[] ids = runner.prompt(Files.readString(textFile)).orThrow();
                print(base == null ? alone(runner, ids) : beside(base, runner, ids));
            }
            return 0;
        }

        private ObjectNode alone(ModelRunner runner, int[] ids) throws RejectedException {
            Perplexity measured = Perplexity.of(runner, ids, context).orThrow();
            return Json.object()
                    .put("perplexity", measured.value())
                    .put("tokens", measured.tokens())
                    .put("windows", measured.windows());
        }

        private ObjectNode beside(Path other, ModelRunner runner, int[] ids) throws RejectedException {
            try (ModelRunner reference = open(other)) {
                ModelComparison measured =
                        ModelComparison.of(reference, runner, ids, context).orThrow();
                return Json.object()
                        .put("perplexity", measured.perplexity())
                        .put("tokens", measured.tokens())
                        .put("windows", measured.windows())
                        .put("base_perplexity", measured.basePerplexity())
                        .put("kl_mean", measured.meanDivergence())
                        .put("kl_p99", measured.p99Divergence())
                        .put("kl_max", measured.maxDivergence())
                        .put("same_top", measured.sameTop());
            }
        }
    }

    @Command(
            name = "bench",
            description = "Measures prefill and decode, with the options of llama-bench.",
            footer = {"", "Example:", "  holdfast model bench chat.gguf -p 512 -n 128 -t 4 -o md"})
    static final class Bench extends ModelCommands.OnFile {
        @Option(
                names = {"-p", "--pp", "--n-prompt"},
                defaultValue = "512",
                paramLabel = "N",
                description = "tokens of a prompt; 0 for none (${DEFAULT-VALUE})")
        int prefill = 512;

        @Option(
                names = {"-n", "--tg", "--n-gen"},
                defaultValue = "128",
                paramLabel = "N",
                description = "tokens generated; 0 for none (${DEFAULT-VALUE})")
        int decode = 128;

        @Option(
                names = {"-d", "--depth", "--n-depth"},
                defaultValue = "0",
                paramLabel = "N",
                description = "tokens that were read before what is measured begins (${DEFAULT-VALUE})")
        int depth;

        @Option(
                names = {"-r", "--repetitions"},
                paramLabel = "N",
                description = "how often each is measured (${DEFAULT-VALUE})",
                defaultValue = "5")
        int repetitions = 5;

        @Option(
                names = {"-o", "--output"},
                paramLabel = "FORM",
                description =
                        "json, or md for the table that llama-bench prints: mean and standard deviation (lines for"
                                + " people)")
        @Nullable
        Output output;

        @Option(
                names = "--streams",
                paramLabel = "N",
                description = "more than one: decodes so many sequences together, and nothing else (1)")
        int streams = 1;

        @Override
        Integer run() throws RejectedException {
            json |= output == Output.json;
            try (ModelRunner runner = open()) {
                if (streams > 1) {
                    List<Double> rates = new ModelBenchmark(runner)
                            .together(streams, decode, repetitions)
                            .orThrow();
                    ObjectNode result = Json.object()
                            .put("streams", streams)
                            .put("tg_tokens_per_second", rates.get(rates.size() / 2));
                    rates.forEach(result.putArray("tg_samples")::add);
                    print(result);
                    return 0;
                }
                ModelBenchmark.Speed measured = new ModelBenchmark(runner)
                        .run(depth, prefill, decode, repetitions)
                        .orThrow();
                if (output == Output.md && !json) {
                    System.out.print(new BenchTable(file, threads, depth).of(measured, prefill, decode));
                    return 0;
                }
                ObjectNode result = Json.object()
                        .put("pp_tokens_per_second", measured.prefillTokensPerSecond())
                        .put("tg_tokens_per_second", measured.decodeTokensPerSecond())
                        .put("load_millis", measured.loadMillis())
                        .put("first_token_millis", measured.firstTokenMillis())
                        .put("peak_rss_kib", measured.peakRssKib());
                measured.prefill().forEach(result.putArray("pp_samples")::add);
                measured.decode().forEach(result.putArray("tg_samples")::add);
                print(result);
            }
            return 0;
        }

        /** Named as llama-bench names them. */
        enum Output {
            json,
            md
        }
    }
}
