package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * From the order to the answer of the new model, of a delta of some 25 MB, beside what its parts take alone: the delta through the same
 * broker to a receiver that does nothing with it, and {@code fleet delta apply}, which hashes both files. All parts are processes that
 * {@code ./dev up} starts.
 */
public final class UpdateBench {
    private static final ShapedModel SHAPE = ShapedModel.SMOLLM2_135M;
    /** Of each weight, about a third of a step of Q8_0. */
    private static final double DRIFT = 1.6e-4;

    private static final int RUNS = 3;
    private static final double GOAL = 2;
    private static final long LIMIT_SECONDS = 300;
    private static final String MODEL = "shape";
    private static final int MOST_BYTES = 1 << 20;

    private UpdateBench() {}

    public static void main(String[] arguments) throws Exception {
        Path dir = Files.createDirectories(Path.of("bench", "target", "update")).toAbsolutePath();
        Path older = dir.resolve("older.gguf");
        Path newer = dir.resolve("newer.gguf");
        SHAPE.write(GgmlType.Q8_0, older);
        SHAPE.write(GgmlType.Q8_0, newer, DRIFT);
        Path patch = dir.resolve("patch");
        fleet("delta", "create", "--base", older.toString(), "--new", newer.toString(), "--out", patch.toString());
        List<Double> update = new ArrayList<>();
        List<Double> transfer = new ArrayList<>();
        List<Double> apply = new ArrayList<>();
        for (int run = 0; run < RUNS; run++) {
            Path stack = Files.createTempDirectory("holdfast-update-");
            try {
                update.add(update(stack, older, newer));
                transfer.add(transfer(endpoints(stack).path("broker").asText(), Files.size(patch)));
            } finally {
                dev("down", stack.toString());
            }
            apply.add(apply(older, patch, dir.resolve("made.gguf")));
            System.err.printf(
                    Locale.ROOT,
                    "update %.2f s, transfer %.2f s, apply %.2f s%n",
                    update.getLast(),
                    transfer.getLast(),
                    apply.getLast());
        }
        double alone = Streams.median(transfer) + Streams.median(apply);
        double ratio = Streams.median(update) / alone;
        PerformancePage.replace(
                "update",
                String.format(
                        Locale.ROOT,
                        """
                `./dev bench update`, on %s. From the order to the first answer of the new model, all parts on this machine: a delta of %,d bytes
                between two models of %,d bytes (Q8_0, random weights that drifted apart). Medians of %d runs.

                | what | seconds | goal |
                |---|---|---|
                | order to answer | %.2f | |
                | the delta alone, through the same broker | %.2f | |
                | `fleet delta apply` alone, both hashes and the start of the command included | %.2f | |
                | ratio | %.2f | 2 times: %s |
                """,
                        Machine.describe(),
                        Files.size(patch),
                        Files.size(newer),
                        RUNS,
                        Streams.median(update),
                        Streams.median(transfer),
                        Streams.median(apply),
                        ratio,
                        ratio <= GOAL ? "met" : "**missed**"));
    }

    private static double update(Path stack, Path older, Path newer) throws Exception {
        Path list = Files.writeString(stack.resolve("models"), MODEL + " 1.0.0 " + older + "\n");
        dev("up", stack.toString(), "--tee", "software", "--broker", "mosquitto", "--models", list.toString());
        Path fleet = stack.resolve("fleet");
        fleet(
                "publish",
                MODEL,
                "2.0.0",
                newer.toString(),
                "--dir",
                fleet.toString(),
                "--template",
                stack.resolve("empty-template.json").toString(),
                "--from",
                "1.0.0");
        InferenceClient client = new InferenceClient(stack.resolve("run/inference-control.sock"));
        fleet("desire", "device-1", MODEL, "2.0.0", "--dir", fleet.toString());
        long begun = System.nanoTime();
        long end = begun + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        while (!serves(client, "2.0.0")) {
            if (System.nanoTime() > end) {
                throw new IllegalStateException("2.0.0 does not serve; see " + stack.resolve("log"));
            }
            Thread.sleep(10);
        }
        return (System.nanoTime() - begun) / 1e9;
    }

    private static boolean serves(InferenceClient client, String version) throws IOException {
        return client.status().serving().stream()
                .anyMatch(loaded -> loaded.version().equals(version));
    }

    private static double transfer(String broker, long bytes) throws Exception {
        try (MqttLink publisher = ReconnectingLink.open(LinkConfig.of(broker, "bench", List.of()), message -> {})) {
            while (!publisher.connected()) {
                Thread.sleep(10);
            }
            double seconds = LinkBench.run("link", broker, publisher).seconds();
            return seconds * bytes / ((double) LinkBench.MESSAGES * LinkBench.BLOCK_BYTES);
        }
    }

    private static double apply(Path older, Path patch, Path made) throws Exception {
        Files.deleteIfExists(made);
        long begun = System.nanoTime();
        fleet("delta", "apply", "--base", older.toString(), "--patch", patch.toString(), "--out", made.toString());
        return (System.nanoTime() - begun) / 1e9;
    }

    private static JsonNode endpoints(Path stack) throws Exception {
        return Json.readObject(Files.readAllBytes(stack.resolve("endpoints.json")), MOST_BYTES)
                .orThrow();
    }

    private static void fleet(String... arguments) throws Exception {
        List<String> all = new ArrayList<>(List.of("fleet"));
        all.addAll(List.of(arguments));
        dev(all.toArray(String[]::new));
    }

    private static void dev(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("./dev"));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("HOLDFAST_BUILT", "1");
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + said);
        }
    }
}
