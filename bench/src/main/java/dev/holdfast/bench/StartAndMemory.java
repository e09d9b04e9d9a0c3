package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** From the start of a process to its first token, beside {@code llama-server}; and the memory beyond the file. */
record StartAndMemory() implements InferencePart {
    private static final ShapedModel MODEL = ShapedModel.SMOLLM2_135M;
    private static final GgmlType TYPE = GgmlType.Q8_0;
    private static final int THREADS = 2;
    private static final int TURNS = 7;

    @Override
    public String name() {
        return "start";
    }

    @Override
    public String head() {
        return String.format(Locale.ROOT, """

                Start and memory, %s %s, warm page cache, our start-up cache, medians of %d turns. Ours is `holdfast model generate` until it prints its
                one token (`./dev` included), `llama-server` answers one token over HTTP as soon as it is healthy.

                | what | figure | goal |
                |---|---|---|
                """, MODEL, TYPE, TURNS);
    }

    @Override
    public Measured measure() throws IOException, InterruptedException {
        Path file = InferencePart.file(MODEL, TYPE);
        List<Double> ours = new ArrayList<>();
        List<Double> peer = new ArrayList<>();
        for (int turn = 0; turn < TURNS; turn++) {
            if (Tool.onPath("llama-server").isPresent()) {
                peer.add(LlamaServerStart.secondsToFirstToken(file, THREADS));
            }
            ours.add(Tool.secondsToFirstByte(generate(file)));
        }
        double own = middle(ours);
        return new Measured(
                String.format(
                        Locale.ROOT,
                        """
                        | process start to first token, two threads | %.2f s | 1.0 s: %s |
                        | the same of `llama-server` | %s |
                        %s""",
                        own,
                        InferencePart.met(own <= 1),
                        peer.isEmpty() ? "absent: no `llama-server` on the PATH | none" : beside(own, middle(peer)),
                        memory(file)),
                List.of());
    }

    private static List<String> generate(Path file) {
        return List.of(
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
                "" + THREADS,
                "--json");
    }

    private static String beside(double own, double peer) {
        return String.format(
                Locale.ROOT,
                "%.2f s, ours %.2f times that | 1.5 times: %s",
                peer,
                own / peer,
                InferencePart.met(own <= 1.5 * peer));
    }

    private static String memory(Path file) throws IOException, InterruptedException {
        JsonNode bench = PeerEngine.OURS.bench(file, List.of("-p", "2000", "-n", "16", "-r", "1", "-t", "" + THREADS));
        double mib = bench.path("peak_rss_kib").doubleValue() / 1024 - Files.size(file) / 1048576.0;
        return String.format(
                Locale.ROOT,
                "| memory beyond the mapped file, context 2,048 nearly filled, keys and values as 16-bit floats | %.0f MiB | 100 MiB: %s |%n",
                mib,
                InferencePart.met(mib <= 100));
    }

    private static double middle(List<Double> values) {
        return values.stream().sorted().toList().get(values.size() / 2);
    }
}
