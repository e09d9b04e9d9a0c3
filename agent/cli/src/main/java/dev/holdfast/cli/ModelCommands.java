package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.CommandFailure;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ExitCode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code holdfast model}: looks at and runs a model file without any daemon. What all subcommands share is here. */
@Command(
        name = "model",
        description = "Looks at a model file, runs or measures it, or writes it anew. Needs no daemon.",
        subcommands = {
            ModelFileCommands.Inspect.class,
            ModelFileCommands.Tokenize.class,
            ModelRunCommands.Logits.class,
            ModelRunCommands.Embed.class,
            ModelRunCommands.Generate.class,
            ModelMeasureCommands.PerplexityCommand.class,
            ModelMeasureCommands.Bench.class,
            ModelFileCommands.Quantize.class
        })
final class ModelCommands {
    private static final int DEFAULT_CONTEXT = 2048;

    private ModelCommands() {}

    /** What needs a model file. */
    abstract static class OnFile implements Callable<Integer> {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Parameters(paramLabel = "FILE.gguf", description = "the model file")
        Path file = Path.of("");

        @Option(names = "--json", description = "print JSON (what no terminal shows is JSON in any case)")
        boolean json;

        @Option(
                names = {"-t", "--threads"},
                paramLabel = "N",
                description = "threads that compute (${DEFAULT-VALUE})",
                defaultValue = "1")
        int threads = 1;

        @Option(
                names = "--kv",
                paramLabel = "TYPE",
                description = "how keys and values are kept: f32, f16 or q8_0 (${DEFAULT-VALUE})",
                defaultValue = "f16")
        String cache = "f16";

        /** The verb itself. */
        abstract Integer run() throws Exception;

        /** Whatever is wrong with a file is said with its name. */
        @Override
        public final Integer call() throws Exception {
            if (!Files.exists(file)) {
                throw new NoSuchFileException(file.toString());
            }
            if (Files.isDirectory(file)) {
                throw new CommandFailure.Worded(ExitCode.FAILED, file + " is a folder", "name a model file");
            }
            try {
                return run();
            } catch (RejectedException e) {
                Rejection why = e.rejection();
                if (why.code().id().startsWith("GGUF-")) {
                    throw new RejectedException(
                            new Rejection(why.code(), file + ": " + why.detail(), why.offset(), why.field()));
                }
                throw e;
            }
        }

        /** Whether a person sees the result at once. Scripts have read JSON from these verbs from the first. */
        boolean isForPeople() {
            return !json && Program.output(spec).isTerminal();
        }

        /** A result for a program: one line where JSON was asked for. */
        void printJson(ObjectNode result) {
            System.out.println(TerminalText.forStdout(json ? result.toString() : Json.pretty(result)));
        }

        /** The fields of a result: as JSON, or a line for each. */
        void print(ObjectNode result) {
            if (!isForPeople()) {
                printJson(result);
                return;
            }
            Page page = new Page(Program.output(spec));
            for (Map.Entry<String, JsonNode> field : result.properties()) {
                page.line(field.getKey(), words(field.getValue()));
            }
            System.out.print(page);
        }

        private static String words(JsonNode value) {
            if (value.isArray()) {
                StringJoiner all = new StringJoiner(",");
                value.forEach(one -> all.add(one.asText()));
                return all.toString();
            }
            if (value.isObject()) {
                StringJoiner all = new StringJoiner(", ");
                value.properties()
                        .forEach(one ->
                                all.add(one.getKey() + " " + one.getValue().asText()));
                return all.toString();
            }
            return value.asText();
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
}
