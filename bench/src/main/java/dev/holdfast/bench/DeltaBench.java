package dev.holdfast.bench;

import dev.holdfast.delta.DeltaFiles;
import dev.holdfast.delta.DeltaProducer;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Patches of a real pair of releases and of fine-tunes, quantized by our own writer, beside bsdiff, xdelta3 and
 * {@code zstd --patch-from}: sizes, and the time to apply. Every patch, ours and theirs, is applied and compared.
 */
public final class DeltaBench {
    private static final int APPLIES = 15;

    /** A pair and the goal for our size over that of the best peer. */
    private record Case(String tune, GgmlType type, double goal) {}

    private static final List<Case> CASES = List.of(
            new Case("bge", GgmlType.Q4_0, 0.70),
            new Case("light", GgmlType.Q4_0, 0.70),
            new Case("lora", GgmlType.Q4_0, 0.70),
            new Case("last", GgmlType.Q4_0, 0.70),
            new Case("heavy", GgmlType.Q4_0, 0.52),
            new Case("bge", GgmlType.Q8_0, Double.NaN),
            new Case("light", GgmlType.Q8_0, 0.36),
            new Case("bge", GgmlType.Q4_K, Double.NaN),
            new Case("light", GgmlType.Q4_K, 0.60));

    private record Row(
            Case of,
            long fileBytes,
            long ours,
            double ideal,
            Map<DeltaPeer, Long> peers,
            double applySeconds,
            double zstdSeconds) {
        long bestPeer() {
            return peers.values().stream().mapToLong(Long::longValue).min().orElse(0);
        }

        double ratio() {
            return (double) ours / bestPeer();
        }
    }

    private DeltaBench() {}

    public static void main(String[] arguments) throws Exception {
        Path dir = Files.createDirectories(Path.of("bench", "target", "delta"));
        if (arguments.length > 0 && arguments[0].equals("large")) {
            LargeDelta.measure(dir);
            return;
        }
        Map<String, List<OnnxWeights.Tensor>> tunes = new LinkedHashMap<>();
        List<OnnxWeights.Tensor> base = BgeModel.weights(false);
        tunes.put("bge", BgeModel.weights(true));
        for (FineTune.Kind kind : FineTune.Kind.values()) {
            tunes.put(kind.name().toLowerCase(Locale.ROOT), FineTune.of(base, kind, 7));
        }
        if (arguments.length > 0 && arguments[0].equals("ideal")) {
            ideal(base, tunes, dir);
            return;
        }
        List<Row> rows = new ArrayList<>();
        for (Case one : CASES) {
            Path older = dir.resolve("base.gguf");
            Path newer = dir.resolve("next.gguf");
            BgeModel.write(base, one.type(), GgmlType.Q5_0, older);
            BgeModel.write(tunes.getOrDefault(one.tune(), base), one.type(), GgmlType.Q5_0, newer);
            rows.add(measure(one, older, newer, dir));
            System.out.println(line(rows.getLast()));
            // Peers take long: what was measured stays on the page when the run is cut short.
            publish(rows, Optional.empty());
        }
        Optional<Double> copy = copySpeed(base, dir);
        publish(rows, copy);
    }

    /** Only what no peer is needed for, in minutes: our size over the ideal mix's, of every pair. */
    private static void ideal(List<OnnxWeights.Tensor> base, Map<String, List<OnnxWeights.Tensor>> tunes, Path dir)
            throws IOException, RejectedException {
        StringBuilder out = new StringBuilder("`./dev bench delta ideal`: ours over the ideal mix, goal 1.08.\n\n");
        out.append("| pair | ours | ideal mix | ratio | goal |\n|---|---|---|---|---|\n");
        for (Case one : CASES) {
            Path older = dir.resolve("base.gguf");
            Path newer = dir.resolve("next.gguf");
            Path patch = dir.resolve("ours.patch");
            BgeModel.write(base, one.type(), GgmlType.Q5_0, older);
            BgeModel.write(tunes.getOrDefault(one.tune(), base), one.type(), GgmlType.Q5_0, newer);
            DeltaProducer.create(older, newer, patch);
            double mix = IdealMix.bytes(older, newer, patch);
            double ratio = Files.size(patch) / mix;
            String line = String.format(
                    Locale.ROOT,
                    "| %s %s | %,d | %,.0f | %.3f | %s |",
                    one.type(),
                    one.tune(),
                    Files.size(patch),
                    mix,
                    ratio,
                    ratio <= 1.08 ? "met" : "**missed**");
            System.out.println(line);
            out.append(line).append('\n');
            PerformancePage.replace("delta-ideal", out.toString());
        }
    }

    private static void publish(List<Row> rows, Optional<Double> copy) throws IOException {
        PerformancePage.replace("delta", page(rows, copy));
        Files.writeString(Path.of("docs", "performance-delta.svg"), plot(rows));
    }

    private static Row measure(Case one, Path older, Path newer, Path dir)
            throws IOException, InterruptedException, RejectedException {
        Path patch = dir.resolve("ours.patch");
        DeltaProducer.create(older, newer, patch);
        Map<DeltaPeer, Long> peers = new EnumMap<>(DeltaPeer.class);
        for (DeltaPeer peer : DeltaPeer.values()) {
            OptionalLong size = peer.isInstalled() ? peer.measure(older, newer, dir) : OptionalLong.empty();
            size.ifPresent(bytes -> peers.put(peer, bytes));
        }
        // Taken in turns, so that a noisy machine is unfair to neither.
        List<Double> ours = new ArrayList<>();
        List<Double> zstd = new ArrayList<>();
        for (int i = 0; i < APPLIES; i++) {
            ours.add(applySeconds(older, patch, newer, dir));
            if (peers.containsKey(DeltaPeer.ZSTD)) {
                zstd.add(DeltaPeer.ZSTD.applySeconds(older, dir));
            }
        }
        return new Row(
                one,
                Files.size(newer),
                Files.size(patch),
                IdealMix.bytes(older, newer, patch),
                peers,
                median(ours),
                zstd.isEmpty() ? 0 : median(zstd));
    }

    private static double applySeconds(Path older, Path patch, Path newer, Path dir) throws IOException {
        Path made = dir.resolve("made.gguf");
        Files.deleteIfExists(made);
        long start = System.nanoTime();
        if (!DeltaFiles.apply(older, patch, made, 1, Progress.SILENT).isAccepted()) {
            throw new IllegalStateException("the patch was refused");
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        if (Files.mismatch(newer, made) >= 0) {
            throw new IllegalStateException("another file came out");
        }
        return seconds;
    }

    /** Bytes a second where everything is copied. */
    private static Optional<Double> copySpeed(List<OnnxWeights.Tensor> base, Path dir) throws IOException {
        Path file = dir.resolve("base.gguf");
        BgeModel.write(base, GgmlType.Q8_0, GgmlType.Q8_0, file);
        Path patch = dir.resolve("ours.patch");
        DeltaProducer.create(file, file, patch);
        List<Double> seconds = new ArrayList<>();
        for (int i = 0; i < APPLIES; i++) {
            seconds.add(applySeconds(file, patch, file, dir));
        }
        return Optional.of(Files.size(file) / median(seconds));
    }

    private static double median(List<Double> values) {
        return values.stream().sorted(Comparator.naturalOrder()).toList().get(values.size() / 2);
    }

    private static String line(Row row) {
        StringBuilder peers = new StringBuilder();
        for (DeltaPeer peer : DeltaPeer.values()) {
            Long bytes = row.peers().get(peer);
            peers.append(" | ").append(bytes == null ? "absent" : "%,d".formatted(bytes));
        }
        double goal = row.of().goal();
        return String.format(
                Locale.ROOT,
                "| %s %s | %,d | **%,d** (%.1f %%)%s | **%.3f** | %s | %.3f | %.0f | %.0f |",
                row.of().type(),
                row.of().tune(),
                row.fileBytes(),
                row.ours(),
                100.0 * row.ours() / row.fileBytes(),
                peers,
                row.ratio(),
                Double.isNaN(goal)
                        ? "none"
                        : String.format(Locale.ROOT, "%.2f, %s", goal, row.ratio() <= goal ? "met" : "**missed**"),
                row.ours() / row.ideal(),
                row.fileBytes() / row.applySeconds() / 1e6,
                row.zstdSeconds() == 0 ? 0 : row.fileBytes() / row.zstdSeconds() / 1e6);
    }

    private static String page(List<Row> rows, Optional<Double> copy) throws IOException {
        StringBuilder out = new StringBuilder();
        out.append("`./dev bench delta`, on ").append(Machine.describe()).append(".\n\n");
        out.append(
                "The real pair is two consecutive published releases of one encoder of 33 million weights (`bge`); the"
                        + " fine-tunes start from\n");
        out.append("the first of them: Adam on gradients of low rank over all weights (`light`, `heavy`), over the last"
                + " two layers (`last`), and merged\n");
        out.append(
                "adapters of rank 8 (`lora`). All are quantized by our own writer; matrices that blocks of 256 do not"
                        + " fit are Q5_0, as usual. Peers\n");
        out.append("run at their strongest setting, and every patch was applied and compared. Ratio: ours over the best"
                + " peer. Speeds are medians of ");
        out.append(APPLIES)
                .append(" runs\n"
                        + "in turns: ours on one thread of a warm JVM with both hashes and fsync, zstd's with the"
                        + " start of its process.\n\n");
        out.append(
                "| pair | file | ours | bsdiff | xdelta3 -9 | zstd -19 --patch-from | ratio | goal | over ideal mix |"
                        + " apply, MB/s | zstd, MB/s |\n");
        out.append("|---|---|---|---|---|---|---|---|---|---|---|\n");
        rows.forEach(row -> out.append(line(row)).append('\n'));
        copy.ifPresent(speed -> out.append(String.format(
                Locale.ROOT,
                "%nApply where every block is copied: %.0f MB/s (goal 500, %s). Goal for Q4_0: 80 MB/s, and faster"
                        + " than zstd where zstd is the peer.%n",
                speed / 1e6,
                speed >= 500e6 ? "met" : "**missed**")));
        out.append("\n![Size of patches against the best peer](performance-delta.svg)\n");
        return out.toString();
    }

    private static String plot(List<Row> rows) {
        BarChart chart =
                new BarChart("Patch size, percent of the model file: ours (blue), best peer (grey)", "%.1f %%");
        for (Row row : rows) {
            chart.add(
                    row.of().type() + " " + row.of().tune(),
                    100.0 * row.ours() / row.fileBytes(),
                    100.0 * row.bestPeer() / row.fileBytes());
        }
        return chart.svg();
    }
}
