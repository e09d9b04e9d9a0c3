package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Speed of the engine on models of true shapes, beside {@code llama-bench} where that is on the PATH: each engine in a process of
 * its own, in turns, the same file, the same number of threads.
 */
public final class InferenceBench {
    private static final int PREFILL = 512;
    private static final int DECODE = 64;
    private static final int TURNS = 3;
    private static final int START_THREADS = 2;
    private static final int MAX_OUTPUT_BYTES = 1 << 20;
    private static final long LIMIT_MINUTES = 10;

    private record Speeds(double prefill, double decode) {}

    private record Row(
            ShapedModel model, GgmlType type, int threads, Speeds ours, Optional<Speeds> peer, double readShare) {}

    private InferenceBench() {}

    /** Writes the section {@code inference} and its plot. */
    public static void main(String[] arguments) throws Exception {
        Path dir = Files.createDirectories(Path.of("bench", "target", "inference"));
        double[] bandwidth = {ReadBandwidth.bytesPerSecond(1), ReadBandwidth.bytesPerSecond(2)};
        List<Row> rows = new ArrayList<>();
        String startUp = "";
        for (ShapedModel model : List.of(ShapedModel.SMOLLM2_135M, ShapedModel.QWEN2_5_0_5B)) {
            for (GgmlType type : List.of(GgmlType.Q8_0, GgmlType.Q4_0)) {
                Path file = dir.resolve(model.name().toLowerCase(Locale.ROOT) + "-" + type + ".gguf");
                if (!Files.exists(file)) {
                    model.write(type, file);
                }
                for (int threads = 1; threads <= 2; threads++) {
                    rows.add(measure(model, type, file, threads, bandwidth[threads - 1]));
                    System.out.println(line(rows.getLast()));
                }
                if (model == ShapedModel.SMOLLM2_135M && type == GgmlType.Q8_0) {
                    startUp = startUp(file);
                }
                PerformancePage.replace("inference", page(rows, startUp, bandwidth));
                Files.writeString(Path.of("docs", "performance-inference.svg"), plot(rows));
            }
        }
    }

    private static Row measure(ShapedModel model, GgmlType type, Path file, int threads, double bandwidth)
            throws IOException, InterruptedException {
        List<Speeds> ours = new ArrayList<>();
        List<Speeds> peers = new ArrayList<>();
        for (int turn = 0; turn < TURNS; turn++) {
            ours.add(ours(file, threads));
            if (installed("llama-bench")) {
                peers.add(peer(file, threads));
            }
        }
        Speeds own = median(ours);
        Optional<Speeds> peer = peers.isEmpty() ? Optional.empty() : Optional.of(median(peers));
        return new Row(model, type, threads, own, peer, own.decode * Files.size(file) / bandwidth);
    }

    private static Speeds median(List<Speeds> all) {
        return new Speeds(
                all.stream().map(Speeds::prefill).sorted().toList().get(all.size() / 2),
                all.stream().map(Speeds::decode).sorted().toList().get(all.size() / 2));
    }

    private static Speeds ours(Path file, int threads) throws IOException, InterruptedException {
        JsonNode result = json(List.of(
                "./dev",
                "holdfast",
                "model",
                "bench",
                file.toString(),
                "--pp",
                "" + PREFILL,
                "--tg",
                "" + DECODE,
                "--threads",
                "" + threads,
                "--json"));
        return new Speeds(
                result.get("pp_tokens_per_second").doubleValue(),
                result.get("tg_tokens_per_second").doubleValue());
    }

    private static Speeds peer(Path file, int threads) throws IOException, InterruptedException {
        JsonNode result = json(List.of(
                "llama-bench",
                "-m",
                file.toString(),
                "-p",
                "" + PREFILL,
                "-n",
                "" + DECODE,
                "-t",
                "" + threads,
                "-r",
                "5",
                "-o",
                "json"));
        return new Speeds(
                result.get(0).get("avg_ts").doubleValue(),
                result.get(1).get("avg_ts").doubleValue());
    }

    private static boolean installed(String tool) {
        return List.of(System.getenv("PATH").split(":")).stream()
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, tool)));
    }

    private static JsonNode json(List<String> command) throws IOException, InterruptedException {
        try {
            return Json.read(output(command).getBytes(StandardCharsets.UTF_8), MAX_OUTPUT_BYTES)
                    .orThrow();
        } catch (RejectedException e) {
            throw new IOException(command + " printed no JSON: " + e.getMessage(), e);
        }
    }

    private static String output(List<String> command) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
        // What is measured was built before; looking for newer sources is no part of it.
        builder.environment().put("HOLDFAST_BUILT", "1");
        Process process = builder.start();
        String printed = new String(process.getInputStream().readNBytes(MAX_OUTPUT_BYTES), StandardCharsets.UTF_8);
        if (!process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES) || process.exitValue() != 0) {
            process.destroyForcibly();
            throw new IOException(command + " failed");
        }
        return printed;
    }

    /** From the start of the process to its end, with one token in between, and the memory beyond the file. */
    private static String startUp(Path file) throws IOException, InterruptedException {
        List<Double> seconds = new ArrayList<>();
        List<Double> peers = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            if (installed("llama-server")) {
                peers.add(LlamaServerStart.secondsToFirstToken(file, START_THREADS));
            }
            long begin = System.nanoTime();
            output(List.of(
                    "./dev",
                    "holdfast",
                    "model",
                    "generate",
                    file.toString(),
                    "--text",
                    "a b c",
                    "--max-tokens",
                    "1",
                    "--threads",
                    "" + START_THREADS,
                    "--json"));
            seconds.add((System.nanoTime() - begin) / 1e9);
        }
        double median = middle(seconds);
        String against = peers.isEmpty()
                ? "absent"
                : String.format(
                        Locale.ROOT,
                        "%.2f s: %.2f times (goal 1.5, %s)",
                        middle(peers),
                        median / middle(peers),
                        median <= 1.5 * middle(peers) ? "met" : "**missed**");
        JsonNode bench = json(List.of(
                "./dev", "holdfast", "model", "bench", file.toString(), "--pp", "2000", "--tg", "16", "--json"));
        double mib = bench.get("peak_rss_kib").doubleValue() / 1024 - Files.size(file) / 1048576.0;
        return String.format(
                Locale.ROOT,
                """

                | what, 135 M Q8_0 | figure | goal |
                |---|---|---|
                | a process from start to end with one token in between, two threads, warm page cache, start-up cache | %.2f s | first token within 1.0 s: %s |
                | the same of `llama-server`, from start to the first token over HTTP | %s | |
                | memory beyond the mapped file, context 2,048, keys and values as 16-bit floats | %.0f MiB | 100 MiB: %s |
                """,
                median,
                median <= 1 ? "met" : "**missed**",
                against,
                mib,
                mib <= 100 ? "met" : "**missed**");
    }

    private static double middle(List<Double> values) {
        return values.stream().sorted(Comparator.naturalOrder()).toList().get(values.size() / 2);
    }

    private static String line(Row row) {
        return String.format(
                Locale.ROOT,
                "| %s | %s | %d | %.0f | %s | %.1f | %s | %.2f |",
                row.model,
                row.type,
                row.threads,
                row.ours.prefill,
                against(row.ours.prefill, row.peer.map(Speeds::prefill), row.type == GgmlType.Q8_0 ? 1.0 : 0.8),
                row.ours.decode,
                against(row.ours.decode, row.peer.map(Speeds::decode), 1.0),
                row.readShare);
    }

    private static String against(double ours, Optional<Double> peer, double goal) {
        return peer.map(speed -> String.format(
                        Locale.ROOT,
                        "%.1f | %.2f (goal %.1f, %s)",
                        speed,
                        ours / speed,
                        goal,
                        ours >= goal * speed ? "met" : "**missed**"))
                .orElse("absent | none");
    }

    private static String page(List<Row> rows, String startUp, double[] bandwidth) throws IOException {
        StringBuilder out = new StringBuilder();
        out.append(String.format(
                Locale.ROOT, """
                `./dev bench inference`, on %s. Tokens a second; random weights in the shapes of published models, embedding Q8_0; each engine
                in a process of its own, medians of %d turns, prompts of %d tokens, %d tokens decoded. The last column is the file's bytes times
                tokens a second over the bandwidth of reading memory, measured at %.1f GB/s with one thread and %.1f GB/s with two.

                | model | type | threads | prefill | llama.cpp | ratio | decode | llama.cpp | ratio | of bandwidth |
                |---|---|---|---|---|---|---|---|---|---|
                """, Machine.describe(), TURNS, PREFILL, DECODE, bandwidth[0] / 1e9, bandwidth[1] / 1e9));
        rows.forEach(row -> out.append(line(row)).append('\n'));
        return out.append(startUp)
                .append("\n![Tokens a second beside llama.cpp](performance-inference.svg)\n")
                .toString();
    }

    private static String plot(List<Row> rows) {
        BarChart chart = new BarChart("Decoded tokens a second: ours (blue), llama.cpp (grey)", "%.1f");
        for (Row row : rows) {
            chart.add(
                    row.model + " " + row.type + " " + row.threads + "T",
                    row.ours.decode,
                    row.peer.map(Speeds::decode).orElse(0.0));
        }
        return chart.svg();
    }
}
