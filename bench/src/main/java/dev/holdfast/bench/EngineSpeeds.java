package dev.holdfast.bench;

import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Prefill and decode of every engine on one model, with one thread and with two. */
record EngineSpeeds(ShapedModel model, GgmlType type) implements InferencePart {
    private static final Load LOAD = new Load(0, 512, 64);

    @Override
    public String name() {
        return (model.size() + "-" + type).toLowerCase(Locale.ROOT);
    }

    @Override
    public String head() {
        StringBuilder turns = new StringBuilder("ours " + PeerEngine.OURS.turns());
        PeerEngine.PEERS.forEach(
                peer -> turns.append(", ").append(peer.name()).append(' ').append(peer.turns()));
        return String.format(Locale.ROOT, """
                Prompts of %d tokens, %d tokens decoded, in turns (%s), the median of each. Of ik_llama.cpp the better of each figure, with the weights
                as they are and repacked at run time (`-rtr 0` and `1`). "Ours" is how many times as fast ours is. "Bandwidth" is the file's bytes times decoded tokens a second over
                the bandwidth of reading memory, measured just before.

                | model | type | threads | engine | prefill | ours | decode | ours | bandwidth |
                |---|---|---|---|---|---|---|---|---|
                """, LOAD.prefill(), LOAD.decode(), turns);
    }

    @Override
    public Measured measure() throws IOException, InterruptedException {
        Path file = InferencePart.file(model, type);
        StringBuilder rows = new StringBuilder();
        List<Bar> bars = new ArrayList<>();
        for (int threads = 1; threads <= 2; threads++) {
            double bandwidth = ReadBandwidth.bytesPerSecond(threads);
            Map<PeerEngine, Speeds> speeds = measure(file, threads);
            Speeds ours = speeds.get(PeerEngine.OURS);
            if (ours == null) {
                throw new IllegalStateException("ours was not measured");
            }
            String key = String.format(Locale.ROOT, "| %s | %s | %d | ", model, type, threads);
            rows.append(String.format(
                    Locale.ROOT,
                    "%s**%s** | %.1f | | %.1f | | %.2f of %.1f GB/s |%n",
                    key,
                    PeerEngine.OURS.name(),
                    ours.prefill(),
                    ours.decode(),
                    ours.decode() * Files.size(file) / bandwidth,
                    bandwidth / 1e9));
            for (PeerEngine peer : PeerEngine.PEERS) {
                rows.append(key).append(peer.name()).append(" | ").append(cells(ours, peer, speeds.get(peer)));
            }
            Speeds yardstick = speeds.getOrDefault(PeerEngine.LLAMA_CPP, new Speeds(0, 0));
            bars.add(new Bar(model + " " + type + " " + threads + "T", ours.decode(), yardstick.decode()));
        }
        return new Measured(rows.toString(), bars);
    }

    private String cells(Speeds ours, PeerEngine peer, @Nullable Speeds theirs) {
        if (theirs == null) {
            return peer.obstacle(model).orElseThrow() + " | | | | |\n";
        }
        Speeds goal = peer.goal(type);
        return InferencePart.against(ours.prefill(), theirs.prefill(), goal.prefill()) + " | "
                + InferencePart.against(ours.decode(), theirs.decode(), goal.decode()) + " | |\n";
    }

    private Map<PeerEngine, Speeds> measure(Path file, int threads) throws IOException, InterruptedException {
        Map<PeerEngine, List<Speeds>> all = new HashMap<>();
        List<PeerEngine> engines = new ArrayList<>(List.of(PeerEngine.OURS));
        PeerEngine.PEERS.stream().filter(peer -> peer.obstacle(model).isEmpty()).forEach(engines::add);
        for (int turn = 0; turn < PeerEngine.OURS.turns(); turn++) {
            for (PeerEngine engine : engines) {
                if (turn < engine.turns()) {
                    Speeds measured = engine.measure(file, threads, LOAD);
                    all.computeIfAbsent(engine, none -> new ArrayList<>()).add(measured);
                    System.out.printf(
                            Locale.ROOT,
                            "%s %d threads %s: prefill %.1f, decode %.1f%n",
                            name(),
                            threads,
                            engine.name(),
                            measured.prefill(),
                            measured.decode());
                }
            }
        }
        Map<PeerEngine, Speeds> medians = new HashMap<>();
        all.forEach((engine, measured) -> medians.put(engine, Speeds.median(measured)));
        return medians;
    }
}
