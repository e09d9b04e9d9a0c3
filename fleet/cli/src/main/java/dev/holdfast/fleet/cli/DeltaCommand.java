package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.delta.DeltaFiles;
import dev.holdfast.delta.DeltaInspection;
import dev.holdfast.delta.DeltaOp;
import dev.holdfast.delta.DeltaProducer;
import dev.holdfast.delta.DeltaSummary;
import dev.holdfast.delta.InPlacePatch;
import dev.holdfast.terminal.Page;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.ProgressLine;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Terminal;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The delta codec by hand. */
@Command(name = "delta", description = "Makes, applies and inspects patches between two model files.")
final class DeltaCommand {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Command(
            name = "create",
            description = "Makes a patch.",
            footer = {"", "Example:", "  fleet delta create --base chat-1.gguf --new chat-2.gguf --out chat.hfd"})
    int create(
            @Option(names = "--base", paramLabel = "FILE", required = true, description = "the model that devices have")
                    Path base,
            @Option(
                            names = "--new",
                            paramLabel = "FILE",
                            required = true,
                            description = "the model that they shall have")
                    Path next,
            @Option(names = "--out", paramLabel = "FILE", required = true, description = "the patch") Path out,
            @Option(names = "--json", description = "print JSON") boolean json,
            @Option(names = "--progress", description = "accepted as ever: progress is shown anyway") boolean progress)
            throws IOException {
        long start = System.nanoTime();
        // Under another name until it is whole: whoever ends the command early is left with no half of a patch.
        Path part = out.resolveSibling(out.getFileName() + ".part");
        DeltaSummary summary;
        try (ProgressLine line = Program.progress(spec, "comparing")) {
            summary = DeltaProducer.create(base, next, part, line);
            Files.move(part, out, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(part);
        }
        return print(
                json,
                Json.object()
                        .put("bytes", summary.patchBytes())
                        .put("ratio", summary.ratio())
                        .put("seconds", secondsSince(start)));
    }

    @Command(
            name = "apply",
            description = "Makes the new file from its base and a patch.",
            footer = {"", "Example:", "  fleet delta apply --base chat-1.gguf --patch chat.hfd --out chat-2.gguf"})
    int apply(
            @Option(
                            names = "--base",
                            paramLabel = "FILE",
                            required = true,
                            description = "the file that the patch starts from")
                    Path base,
            @Option(names = "--patch", paramLabel = "FILE", required = true, description = "the patch") Path patch,
            @Option(names = "--out", paramLabel = "FILE", description = "the new file", defaultValue = "") Path out,
            @Option(names = "--in-place", description = "turn the base itself into the new file") boolean inPlace,
            @Option(
                            names = "--threads",
                            paramLabel = "N",
                            description = "threads (default: ${DEFAULT-VALUE})",
                            defaultValue = "1")
                    int threads,
            @Option(names = "--json", description = "print JSON") boolean json,
            @Option(names = "--progress", description = "accepted as ever: progress is shown anyway") boolean progress)
            throws IOException, RejectedException {
        if (inPlace == !out.toString().isEmpty() || threads < 1) {
            throw new ParameterException(
                    spec.commandLine(), "either --out FILE or --in-place, and at least one thread");
        }
        long start = System.nanoTime();
        try (ProgressLine line = Program.progress(spec, "patching")) {
            if (inPlace) {
                InPlacePatch.apply(base, patch, base.resolveSibling(base.getFileName() + ".undo"), line)
                        .orThrow();
            } else {
                DeltaFiles.apply(base, patch, out, threads, line).orThrow();
            }
        }
        return print(json, Json.object().put("seconds", secondsSince(start)).put("peak_rss_kib", peakRssKib()));
    }

    @Command(
            name = "inspect",
            description = "Shows what each tensor of a patch costs, and why.",
            footer = {"", "Example:", "  fleet delta inspect chat.hfd"})
    int inspect(
            @Parameters(paramLabel = "PATCH", description = "the patch") Path patch,
            @Option(names = "--json", description = "print JSON") boolean json)
            throws IOException, RejectedException {
        DeltaInspection found = DeltaInspection.of(patch).orThrow();
        if (!json) {
            spec.commandLine().getOut().print(text(found, Program.output(spec)));
            spec.commandLine().getOut().flush();
            return 0;
        }
        ObjectNode node = Json.object()
                .put("codec", found.codec())
                .put("bytes", found.patchBytes())
                .put("head_bytes", found.headBytes())
                .put("base", found.base().hex())
                .put("base_bytes", found.baseBytes())
                .put("result", found.result().hex())
                .put("result_bytes", found.resultBytes())
                .put("blocks", found.blocks());
        ArrayNode parts = node.putArray("parts");
        for (DeltaInspection.Part part : found.parts()) {
            ObjectNode entry = parts.addObject()
                    .put("name", part.name())
                    .put("result_bytes", part.outputBytes())
                    .put("patch_bytes", part.payloadBytes())
                    .put("why", part.why());
            ObjectNode operations = entry.putObject("operations");
            part.operations().forEach((op, bytes) -> operations.put(op.name(), bytes));
        }
        return print(true, node);
    }

    private static String text(DeltaInspection found, Terminal terminal) {
        String page = new Page(terminal)
                .section("Patch")
                .line("codec", found.codec())
                .line(
                        "length",
                        Units.bytes(found.patchBytes()) + ", " + share(found.patchBytes(), found.resultBytes())
                                + " of the result; head and tables " + Units.bytes(found.headBytes()))
                .line("base", Units.digest(found.base().hex()) + ", " + Units.bytes(found.baseBytes()))
                .line(
                        "result",
                        Units.digest(found.result().hex()) + ", " + Units.bytes(found.resultBytes()) + " in "
                                + found.blocks() + " blocks")
                .toString();
        Table table = new Table("PART", ">RESULT", ">PATCH", ">SHARE", "HOW");
        for (DeltaInspection.Part part : found.parts()) {
            table.row(
                    part.name(),
                    "%,d".formatted(part.outputBytes()),
                    "%,d".formatted(part.payloadBytes()),
                    share(part.payloadBytes(), part.outputBytes()),
                    operations(part));
        }
        return page + "\n" + table.on(terminal);
    }

    private static String share(long part, long whole) {
        return String.format(Locale.ROOT, "%.1f %%", 100.0 * part / Math.max(1, whole));
    }

    private static String operations(DeltaInspection.Part part) {
        String names =
                part.operations().keySet().stream().sorted().map(DeltaOp::name).collect(Collectors.joining("+"));
        return part.why().isEmpty() ? names : names + " (" + part.why() + ")";
    }

    private int print(boolean json, ObjectNode node) {
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(new String(Json.write(node), StandardCharsets.UTF_8));
            return 0;
        }
        Page page = new Page(Program.output(spec));
        if (node.has("bytes")) {
            page.line(
                    "patch",
                    Units.bytes(node.path("bytes").asLong())
                            + String.format(
                                    Locale.ROOT,
                                    ", %.1f %% of the new file",
                                    100 * node.path("ratio").asDouble()));
        }
        page.line(
                "took",
                String.format(Locale.ROOT, "%.1f s", node.path("seconds").asDouble()));
        if (node.path("peak_rss_kib").asLong() > 0) {
            page.line("memory", Units.bytes(1024 * node.path("peak_rss_kib").asLong()) + " at most");
        }
        out.print(page);
        out.flush();
        return 0;
    }

    private static double secondsSince(long start) {
        return (System.nanoTime() - start) / 1e9;
    }

    /** The process's high-water mark, as Linux counts it; -1 elsewhere. */
    private static long peakRssKib() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.isReadable(status)) {
            return -1;
        }
        return Files.readAllLines(status).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .map(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElse(-1L);
    }
}
