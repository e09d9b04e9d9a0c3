package dev.holdfast.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.ModelComparison;
import dev.holdfast.engine.ModelInspection;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.engine.Penalties;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufQuantizer;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast model}: looks at and runs a model file without any daemon. */
@Command(
        name = "model",
        description = "Looks at or runs a model file.",
        subcommands = {
            ModelCommands.Inspect.class,
            ModelCommands.Tokenize.class,
            ModelCommands.Logits.class,
            ModelCommands.Embed.class,
            ModelCommands.Generate.class,
            ModelCommands.Perplexity.class,
            ModelCommands.Bench.class,
            ModelCommands.Quantize.class
        })
final class ModelCommands {
    private static final int DEFAULT_CONTEXT = 2048;

    private ModelCommands() {}

    /** What needs a model file. */
    abstract static class OnFile implements Callable<Integer> {
        @Parameters(paramLabel = "FILE.gguf")
        Path file = Path.of("");

        @Option(names = "--json", description = "print JSON")
        boolean json;

        @Option(
                names = {"-t", "--threads"},
                defaultValue = "1")
        int threads = 1;

        @Option(
                names = "--kv",
                paramLabel = "TYPE",
                description = "how keys and values are kept: f32, f16 or q8_0; ${DEFAULT-VALUE} if not given",
                defaultValue = "f16")
        String cache = "f16";

        void print(ObjectNode result) {
            System.out.println(json ? result.toString() : Json.pretty(result));
        }

        ModelRunner open() throws RejectedException {
            return open(file);
        }

        ModelRunner open(Path model) throws RejectedException {
            return ModelRunner.open(
                            model, DEFAULT_CONTEXT, threads, CacheType.of(cache).orThrow())
                    .orThrow();
        }

        static int[] ids(String list) throws RejectedException {
            try {
                return Arrays.stream(list.split(","))
                        .mapToInt(id -> Integer.parseInt(id.strip()))
                        .toArray();
            } catch (NumberFormatException e) {
                throw new RejectedException(Code.API_REQUEST, "--tokens takes numbers with commas between");
            }
        }

        static void put(ArrayNode array, int[] ids) {
            for (int id : ids) {
                array.add(id);
            }
        }
    }

    @Command(name = "inspect", description = "Shows metadata and tensors.")
    static final class Inspect extends OnFile {
        @Override
        public Integer call() throws RejectedException {
            System.out.println(Json.pretty(ModelInspection.of(file).orThrow().json()));
            return 0;
        }
    }

    @Command(name = "tokenize", description = "Shows the token ids of a text.")
    static final class Tokenize extends OnFile {
        @Option(names = "--text")
        @Nullable
        String text;

        @Option(names = "--stdin", description = "read the text from standard input")
        boolean stdin;

        @Override
        public Integer call() throws Exception {
            String given =
                    stdin ? new String(System.in.readAllBytes(), StandardCharsets.UTF_8) : text == null ? "" : text;
            try (ModelRunner runner = open()) {
                ObjectNode result = Json.object();
                put(result.putArray("tokens"), runner.tokenize(given).orThrow());
                print(result);
            }
            return 0;
        }
    }

    @Command(name = "logits", description = "Writes logits as raw little-endian float32.")
    static final class Logits extends OnFile {
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
    static final class Embed extends OnFile {
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
    static final class Generate extends OnFile {
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
                int[] prompt = tokens != null
                        ? ids(tokens)
                        : runner.tokenize(text == null ? "" : text).orThrow();
                ModelRunner.Continuation made =
                        runner.generate(prompt, maxTokens, sampling()).orThrow();
                ObjectNode result = Json.object()
                        .put("text", made.text())
                        .put("finish", made.finish().toString().toLowerCase(java.util.Locale.ROOT))
                        .put("first_token_millis", made.firstTokenMillis())
                        .put("tokens_per_second", made.tokensPerSecond());
                put(result.putArray("tokens"), made.tokens());
                print(result);
            }
            return 0;
        }
    }

    @Command(
            name = "perplexity",
            description = "Measures perplexity over a text, and the divergence from a base model.")
    static final class Perplexity extends OnFile {
        @Option(names = "--text-file", required = true)
        Path textFile = Path.of("");

        @Option(names = "--context", defaultValue = "256")
        int context = 256;

        @Option(names = "--kl-base", paramLabel = "BASE.gguf", description = "the model to compare with, such as F16")
        @Nullable
        Path base;

        @Override
        public Integer call() throws Exception {
            try (ModelRunner runner = open()) {
                int[] ids = runner.tokenize(Files.readString(textFile)).orThrow();
                print(base == null ? alone(runner, ids) : beside(base, runner, ids));
            }
            return 0;
        }

        private ObjectNode alone(ModelRunner runner, int[] ids) throws RejectedException {
            ModelRunner.Perplexity measured = runner.perplexity(ids, context).orThrow();
            return Json.object()
                    .put("perplexity", measured.perplexity())
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

    @Command(name = "bench", description = "Measures prefill and decode, with the options of llama-bench.")
    static final class Bench extends OnFile {
        @Option(
                names = {"-p", "--pp", "--n-prompt"},
                defaultValue = "512",
                description = "tokens of a prompt; 0 for none")
        int prefill = 512;

        @Option(
                names = {"-n", "--tg", "--n-gen"},
                defaultValue = "128",
                description = "tokens generated; 0 for none")
        int decode = 128;

        @Option(
                names = {"-d", "--depth", "--n-depth"},
                defaultValue = "0",
                description = "tokens that were read before what is measured begins")
        int depth;

        @Option(
                names = {"-r", "--repetitions"},
                defaultValue = "5")
        int repetitions = 5;

        @Option(
                names = {"-o", "--output"},
                description = "json or md, the table that llama-bench prints: mean and standard deviation")
        Output output = Output.json;

        @Option(
                names = "--streams",
                description = "more than one: decodes so many sequences together, and nothing else")
        int streams = 1;

        @Override
        public Integer call() throws RejectedException {
            try (ModelRunner runner = open()) {
                if (streams > 1) {
                    List<Double> rates =
                            runner.benchTogether(streams, decode, repetitions).orThrow();
                    ObjectNode result = Json.object()
                            .put("streams", streams)
                            .put("tg_tokens_per_second", rates.get(rates.size() / 2));
                    rates.forEach(result.putArray("tg_samples")::add);
                    print(result);
                    return 0;
                }
                ModelRunner.Bench measured =
                        runner.bench(depth, prefill, decode, repetitions).orThrow();
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

    @Command(name = "quantize", description = "Writes a model of floats anew with its matrices as TYPE.")
    static final class Quantize extends OnFile {
        @Parameters(paramLabel = "OUT.gguf")
        Path out = Path.of("");

        @Parameters(
                paramLabel = "TYPE",
                description = "Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, IQ4_NL, F16, BF16")
        GgmlType type = GgmlType.Q8_0;

        @Override
        public Integer call() throws RejectedException, IOException {
            GgufQuantizer.Summary made = GgufQuantizer.quantize(file, out, type).orThrow();
            ObjectNode result = Json.object().put("bytes", made.bytes());
            ObjectNode types = result.putObject("tensors");
            made.tensors().forEach((used, count) -> types.put(used.name(), count));
            print(result);
            return 0;
        }
    }
}
