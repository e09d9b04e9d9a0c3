package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.ModelInspection;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufQuantizer;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.ProgressLine;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Terminal;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast model inspect}, {@code tokenize} and {@code quantize}: what a model file holds, and writing it anew. */
final class ModelFileCommands {
    private ModelFileCommands() {}

    @Command(
            name = "inspect",
            description = "Shows metadata and tensors, and whether this engine runs the file.",
            footer = {"", "Example:", "  holdfast model inspect chat.gguf"})
    static final class Inspect extends ModelCommands.OnFile {
        @Override
        Integer run() throws RejectedException {
            ObjectNode found = ModelInspection.of(file).orThrow().json();
            if (isForPeople()) {
                System.out.print(TerminalText.forStdout(text(found, Program.output(spec))));
            } else {
                printJson(found);
            }
            return 0;
        }

        private static String text(ObjectNode found, Terminal terminal) {
            Page page = new Page(terminal).section("File");
            page.line("format", found.path("format").asText())
                    .line("digest", found.path("digest").asText())
                    .line("length", Units.bytes(found.path("length").asLong()))
                    .line("parameters", "%,d".formatted(found.path("parameters").asLong()));
            yesOrWhy(
                    page,
                    "runs here",
                    found.path("runnable").asBoolean(),
                    found.path("reason").asText());
            yesOrWhy(
                    page,
                    "tokenizes here",
                    found.path("tokenizes").asBoolean(),
                    found.path("tokenizer_reason").asText());
            Table metadata = new Table("KEY", "VALUE");
            found.path("metadata")
                    .properties()
                    .forEach(one -> metadata.row(one.getKey(), one.getValue().asText()));
            Table tensors = new Table("TENSOR", "TYPE", ">SHAPE", ">BYTES");
            for (JsonNode one : found.path("tensors")) {
                StringJoiner shape = new StringJoiner(" x ");
                one.path("dims").forEach(dim -> shape.add(dim.asText()));
                tensors.row(
                        one.path("name").asText(),
                        one.path("type").asText(),
                        shape.toString(),
                        "%,d".formatted(one.path("bytes").asLong()));
            }
            return page.section("Metadata").toString()
                    + metadata.on(terminal)
                    + new Page(terminal).text("").section("Tensors")
                    + tensors.on(terminal);
        }

        private static void yesOrWhy(Page page, String key, boolean yes, String why) {
            page.line(key, yes ? "yes" : "no: " + why, yes ? Page.Mark.GOOD : Page.Mark.BAD);
        }
    }

    @Command(
            name = "tokenize",
            description = "Shows the token ids of a text. A file that holds a vocabulary and no tensors is enough.",
            footer = {"", "Example:", "  holdfast model tokenize chat.gguf --text \"open the window\""})
    static final class Tokenize extends ModelCommands.OnFile {
        @Option(names = "--text", paramLabel = "TEXT", description = "the text (empty)")
        @Nullable
        String text;

        @Option(names = "--stdin", description = "read the text from standard input")
        boolean stdin;

        @Override
        Integer run() throws Exception {
            String given =
                    stdin ? new String(System.in.readAllBytes(), StandardCharsets.UTF_8) : text == null ? "" : text;
            ObjectNode result = Json.object();
            put(result.putArray("tokens"), ModelRunner.tokenize(file, given).orThrow());
            print(result);
            return 0;
        }
    }

    @Command(
            name = "quantize",
            description = "Writes a model of floats anew with its matrices as TYPE.",
            footer = {"", "Example:", "  holdfast model quantize chat-f16.gguf chat-q8.gguf Q8_0"})
    static final class Quantize extends ModelCommands.OnFile {
        @Parameters(paramLabel = "OUT.gguf", description = "the file to write")
        Path out = Path.of("");

        @Parameters(
                paramLabel = "TYPE",
                description = "Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, IQ4_NL, F16, BF16")
        GgmlType type = GgmlType.Q8_0;

        @Override
        Integer run() throws RejectedException, IOException {
            // Under another name until it is whole: whoever ends the command early is left with no half of a model.
            Path part = out.resolveSibling(out.getFileName() + ".part");
            GgufQuantizer.Summary made;
            try (ProgressLine line = Program.progress(spec, "quantizing")) {
                made = GgufQuantizer.quantize(file, part, type, line).orThrow();
                Files.move(part, out, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(part);
            }
            ObjectNode result = Json.object().put("bytes", made.bytes());
            ObjectNode types = result.putObject("tensors");
            made.tensors().forEach((used, count) -> types.put(used.name(), count));
            print(result);
            return 0;
        }
    }
}
