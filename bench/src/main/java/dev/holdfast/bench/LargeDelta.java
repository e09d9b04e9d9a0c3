package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A pair of 2 GB, its matrices those of the real pair repeated: whether time grows with the file and memory does not. */
final class LargeDelta {
    private static final int COPIES = 107;

    private LargeDelta() {}

    static void measure(Path dir) throws Exception {
        Path older = dir.resolve("large-base.gguf");
        Path newer = dir.resolve("large-next.gguf");
        write(BgeModel.weights(false), older);
        write(BgeModel.weights(true), newer);
        Path patch = dir.resolve("large.patch");
        Path made = dir.resolve("large-made.gguf");
        JsonNode idle = fleet("delta", "inspect", "--help");
        JsonNode created = fleet(
                "delta",
                "create",
                "--base",
                older.toString(),
                "--new",
                newer.toString(),
                "--out",
                patch.toString(),
                "--json");
        Files.deleteIfExists(made);
        JsonNode applied = fleet(
                "delta",
                "apply",
                "--base",
                older.toString(),
                "--patch",
                patch.toString(),
                "--out",
                made.toString(),
                "--json");
        if (Files.mismatch(newer, made) >= 0) {
            throw new IllegalStateException("another file came out");
        }
        double bytes = Files.size(newer);
        long above = applied.path("rss").asLong() - idle.path("rss").asLong();
        PerformancePage.replace(
                "delta-large",
                String.format(
                        Locale.ROOT,
                        """
                `./dev bench delta large`, on %s. A pair of %,d bytes, Q4_0, the matrices of the real pair repeated; each command a process of its own,
                `create` with a heap of at most 1 GiB, `apply` and the idle command of at most 48 MiB.

                | what | figure | goal |
                |---|---|---|
                | `fleet delta create` | %.0f s for the pair, %.0f s for each GB, peak memory %,d MiB | 600 s for 1 GB, 2,048 MiB |
                | `fleet delta apply` | %.1f s, %.0f MB/s with start of the JVM, both hashes and fsync | |
                | memory of `apply` | %,d MiB above the same command idle (%,d MiB) | 64 MiB |
                | patch | %,d bytes | |
                """,
                        Machine.describe(),
                        (long) bytes,
                        created.path("seconds").asDouble(),
                        created.path("seconds").asDouble() / (bytes / 1e9),
                        created.path("rss").asLong() / 1024,
                        applied.path("seconds").asDouble(),
                        bytes / 1e6 / applied.path("seconds").asDouble(),
                        above / 1024,
                        idle.path("rss").asLong() / 1024,
                        Files.size(patch)));
        for (Path file : List.of(older, newer, patch, made)) {
            Files.deleteIfExists(file);
        }
    }

    private static void write(List<OnnxWeights.Tensor> tensors, Path file) throws IOException {
        GgufWriter writer = new GgufWriter().put("general.architecture", "bert");
        for (OnnxWeights.Tensor tensor : tensors) {
            long[] dims = tensor.dims();
            int columns = dims.length == 0 ? 1 : (int) dims[dims.length - 1];
            int rows = tensor.values().length / columns;
            if (dims.length == 2 && rows > 1 && columns % 32 == 0) {
                RowSource again = (index, into) ->
                        System.arraycopy(tensor.values(), (int) (index % rows) * columns, into, 0, columns);
                writer.tensor(tensor.name(), GgmlType.Q4_0, again, columns, (long) rows * COPIES);
            } else {
                writer.tensor(tensor.name(), GgmlType.F32, RowSource.of(tensor.values()), tensor.values().length);
            }
        }
        writer.write(file);
    }

    /** Runs the operator's command with the smallest heap that it is meant for; adds its peak memory in KiB as {@code rss}. */
    private static JsonNode fleet(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "@systemd/jvm/common.options",
                "@systemd/jvm/kernels.options",
                arguments[1].equals("create") ? "-Xmx1g" : "-Xmx48m",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.holdfast.fleet.cli.FleetCommand"));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        long peak = 0;
        while (process.isAlive()) {
            peak = Math.max(peak, Machine.peakKib(process.pid()));
            Thread.sleep(10);
        }
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.exitValue() != 0) {
            throw new IllegalStateException(String.join(" ", arguments) + " failed");
        }
        JsonNode answer = out.startsWith("{")
                ? Json.readObject(out.getBytes(StandardCharsets.UTF_8), 1 << 20).orThrow()
                : Json.object();
        return Json.object()
                .put("seconds", answer.path("seconds").asDouble())
                .put("rss", Math.max(peak, answer.path("peak_rss_kib").asLong()));
    }
}
