package dev.holdfast.bench;

import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Installs a model of 2 GB (or of as many MB as the argument says): memory of the process above idle, and bytes verified and
 * stored a second beside {@code tee copy | sha256sum} with a sync, on the same disk, in turns.
 */
public final class InstallBench {
    private static final int RUNS = 3;

    private InstallBench() {}

    private record Run(double seconds, long peakKib) {}

    public static void main(String[] arguments) throws Exception {
        long megabytes = arguments.length > 0 ? Long.parseLong(arguments[0]) : 2000;
        Path dir = Files.createDirectories(Path.of("bench", "target", "install"));
        Path model = dir.resolve("model.gguf");
        write(model, megabytes);
        BlockTree tree = InstallProbe.publish(model);
        Sha256 digest = Sha256.ofFile(model);
        long idle = run(probe()).peakKib();
        List<Run> ours = new ArrayList<>();
        List<Run> peer = new ArrayList<>();
        for (int i = 0; i < RUNS; i++) {
            Path store = dir.resolve("store");
            delete(store);
            ours.add(run(probe(
                    model.toString(),
                    store.toString(),
                    digest.hex(),
                    tree.root().hex())));
            if (Files.mismatch(model, store.resolve("blobs").resolve(digest.hex())) >= 0) {
                throw new IllegalStateException("another file was stored");
            }
            Path copy = dir.resolve("copy");
            Files.deleteIfExists(copy);
            peer.add(run(List.of(
                    "sh", "-c", "tee \"$1\" < \"$0\" | sha256sum && sync \"$1\"", model.toString(), copy.toString())));
            Files.deleteIfExists(copy);
        }
        double speed = megabytes / seconds(ours);
        double theirs = megabytes / seconds(peer);
        long above = ours.stream().mapToLong(Run::peakKib).max().orElse(0) - idle;
        PerformancePage.replace(
                "install",
                String.format(
                        Locale.ROOT,
                        """
                `./dev bench install`, on %s. A model of %,d MB, blocks of 96 KiB from a file in place of the link; the inference process, event log and TEE say
                yes. Collector and heap are the agent's (`systemd/jvm/agent.options`). Medians of %d runs in turns, start of the JVM included.

                | what | figure | goal |
                |---|---|---|
                | verify and store | %.0f MB/s | |
                | `tee copy \\| sha256sum` with sync | %.0f MB/s | |
                | ratio | %.2f | 0.8, %s |
                | memory of the process above idle (%,d MiB) | %,d MiB | 96 MiB, %s |
                """,
                        Machine.describe(),
                        megabytes,
                        RUNS,
                        speed,
                        theirs,
                        speed / theirs,
                        speed >= 0.8 * theirs ? "met" : "**missed**",
                        idle / 1024,
                        above / 1024,
                        above <= 96 * 1024 ? "met" : "**missed**"));
        System.out.printf(
                Locale.ROOT,
                "%.0f MB/s, tee and sha256sum %.0f MB/s, %d MiB above idle%n",
                speed,
                theirs,
                above / 1024);
        delete(dir);
    }

    private static double seconds(List<Run> runs) {
        return runs.stream()
                .map(Run::seconds)
                .sorted(Comparator.naturalOrder())
                .toList()
                .get(runs.size() / 2);
    }

    private static void write(Path file, long megabytes) throws IOException {
        Random random = new Random(1);
        byte[] bytes = new byte[1_000_000];
        try (OutputStream out = Files.newOutputStream(file)) {
            for (long i = 0; i < megabytes; i++) {
                random.nextBytes(bytes);
                out.write(bytes);
            }
        }
    }

    /** With the agent's collector and heap, as the launcher starts it. */
    private static List<String> probe(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "@systemd/jvm/common.options",
                "@systemd/jvm/agent.options",
                "-cp",
                System.getProperty("java.class.path"),
                InstallProbe.class.getName()));
        command.addAll(List.of(arguments));
        return command;
    }

    private static Run run(List<String> command) throws IOException, InterruptedException {
        long start = System.nanoTime();
        Process process = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        long peak = 0;
        while (process.isAlive()) {
            peak = Math.max(peak, Machine.peakKib(process.pid()));
            Thread.sleep(5);
        }
        if (process.exitValue() != 0) {
            throw new IllegalStateException(String.join(" ", command) + " failed");
        }
        return new Run((System.nanoTime() - start) / 1e9, peak);
    }

    private static void delete(Path tree) throws IOException {
        if (Files.exists(tree)) {
            try (Stream<Path> files = Files.walk(tree)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }
}
