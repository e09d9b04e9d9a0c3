package dev.holdfast.bench;

import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Decode behind a long prompt, where attention costs as much as the weights. */
record DepthSpeeds() implements InferencePart {
    private static final ShapedModel MODEL = ShapedModel.SMOLLM2_135M;
    private static final GgmlType TYPE = GgmlType.Q8_0;
    private static final Load LOAD = new Load(1_500, 0, 64);

    @Override
    public String name() {
        return "depth";
    }

    @Override
    public String head() {
        return String.format(Locale.ROOT, """

                Decode of %d tokens behind a prompt of %,d (`-d`), %s %s, medians of %d turns, keys and values as 16-bit floats:

                | threads | holdfast | llama.cpp | ours |
                |---|---|---|---|
                """, LOAD.decode(), LOAD.depth(), MODEL, TYPE, PeerEngine.OURS.turns());
    }

    @Override
    public Measured measure() throws IOException, InterruptedException {
        Path file = InferencePart.file(MODEL, TYPE);
        Optional<String> obstacle = PeerEngine.LLAMA_CPP.obstacle(MODEL);
        StringBuilder rows = new StringBuilder();
        for (int threads = 1; threads <= 2; threads++) {
            List<Speeds> ours = new ArrayList<>();
            List<Speeds> peer = new ArrayList<>();
            for (int turn = 0; turn < PeerEngine.OURS.turns(); turn++) {
                ours.add(PeerEngine.OURS.measure(file, threads, LOAD));
                if (obstacle.isEmpty()) {
                    peer.add(PeerEngine.LLAMA_CPP.measure(file, threads, LOAD));
                }
            }
            double own = Speeds.median(ours).decode();
            String against = obstacle.map(reason -> reason + " | ")
                    .orElseGet(
                            () -> InferencePart.against(own, Speeds.median(peer).decode(), 0));
            rows.append(String.format(Locale.ROOT, "| %d | %.1f | %s |%n", threads, own, against));
        }
        return new Measured(rows.toString(), List.of());
    }
}
