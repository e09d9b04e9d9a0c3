package dev.holdfast.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast model}: looks at and runs a model file without any daemon. What all subcommands share is here. */
@Command(
        name = "model",
        description = "Looks at or runs a model file.",
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
            System.out.println(TerminalText.forStdout(json ? result.toString() : Json.pretty(result)));
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
