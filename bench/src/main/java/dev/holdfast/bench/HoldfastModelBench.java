package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Our engine by {@code holdfast model bench}. */
record HoldfastModelBench() implements PeerEngine {
    @Override
    public String name() {
        return "holdfast";
    }

    @Override
    public int turns() {
        return 3;
    }

    @Override
    public Optional<String> obstacle(ShapedModel model) {
        return Optional.empty();
    }

    @Override
    public Speeds goal(GgmlType type) {
        return new Speeds(0, 0);
    }

    @Override
    public Speeds measure(Path file, int threads, Load load) throws IOException, InterruptedException {
        JsonNode result = bench(
                file,
                List.of(
                        "-d",
                        "" + load.depth(),
                        "-p",
                        "" + load.prefill(),
                        "-n",
                        "" + load.decode(),
                        "-t",
                        "" + threads));
        return new Speeds(
                result.path("pp_tokens_per_second").doubleValue(),
                result.path("tg_tokens_per_second").doubleValue());
    }

    /** The answer of {@code holdfast model bench FILE options --json}. */
    JsonNode bench(Path file, List<String> options) throws IOException, InterruptedException {
        return Tool.json(Tool.joined(
                List.of(List.of("./dev", "holdfast", "model", "bench", file.toString(), "--json"), options)));
    }
}
