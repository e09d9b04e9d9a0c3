package dev.holdfast.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.ModelInspection;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufQuantizer;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast model inspect}, {@code tokenize} and {@code quantize}: what a model file holds, and writing it anew. */
final class ModelFileCommands {
    private ModelFileCommands() {}

    @Command(name = "inspect", description = "Shows metadata and tensors.")
    static final class Inspect extends ModelCommands.OnFile {
        @Override
        public Integer call() throws RejectedException {
            System.out.println(Json.pretty(ModelInspection.of(file).orThrow().json()));
            return 0;
        }
    }

    @Command(
            name = "tokenize",
            description = "Shows the token ids of a text. A file that holds a vocabulary and no tensors is enough.")
    static final class Tokenize extends ModelCommands.OnFile {
        @Option(names = "--text")
        @Nullable
        String text;

        @Option(names = "--stdin", description = "read the text from standard input")
        boolean stdin;

        @Override
        public Integer call() throws Exception {
            String given =
                    stdin ? new String(System.in.readAllBytes(), StandardCharsets.UTF_8) : text == null ? "" : text;
            ObjectNode result = Json.object();
            put(result.putArray("tokens"), ModelRunner.tokenize(file, given).orThrow());
            print(result);
            return 0;
        }
    }

    @Command(name = "quantize", description = "Writes a model of floats anew with its matrices as TYPE.")
    static final class Quantize extends ModelCommands.OnFile {
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
