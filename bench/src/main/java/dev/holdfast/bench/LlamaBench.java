package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * llama.cpp or its fork ik_llama.cpp, by the {@code llama-bench} of each. Where it is run with several settings, the
 * best of each kind counts: the strongest rival.
 *
 * @param command the program, empty when there is none
 * @param missing what to say then
 * @param settings options beyond the usual, of each run
 */
record LlamaBench(
        String name, int turns, Optional<String> command, String missing, List<List<String>> settings, boolean isFork)
        implements PeerEngine {
    static LlamaBench llamaCpp() {
        return new LlamaBench(
                "llama.cpp", 3, Tool.onPath("llama-bench"), "no `llama-bench` on the PATH", List.of(List.of()), false);
    }

    /** Weights as they are and repacked at run time: which is faster depends on type and kind. */
    static LlamaBench ikLlamaCpp() {
        return new LlamaBench(
                "ik_llama.cpp",
                1,
                Tool.named("IK_LLAMA_BENCH"),
                "IK_LLAMA_BENCH names no `llama-bench`",
                List.of(List.of("-rtr", "0"), List.of("-rtr", "1")),
                true);
    }

    @Override
    public Optional<String> obstacle(ShapedModel model) {
        return command.isPresent() ? Optional.empty() : Optional.of("absent: " + missing);
    }

    @Override
    public Speeds goal(GgmlType type) {
        return isFork ? new Speeds(0, 0.8) : new Speeds(type == GgmlType.Q8_0 ? 1.0 : 0.8, 1.0);
    }

    @Override
    public Speeds measure(Path file, int threads, Load load) throws IOException, InterruptedException {
        List<String> what = List.of("-p", "" + load.prefill(), "-n", "" + load.decode(), "-t", "" + threads);
        List<String> how = List.of(command.orElseThrow(), "-m", file.toString(), "-r", "5", "-o", "json");
        List<String> depth = load.depth() == 0 ? List.of() : List.of("-d", "" + load.depth());
        double prefill = 0;
        double decode = 0;
        for (List<String> setting : settings) {
            for (JsonNode test : Tool.json(Tool.joined(List.of(how, what, depth, setting)))) {
                double speed = test.path("avg_ts").doubleValue();
                if (test.path("n_gen").intValue() == 0) {
                    prefill = Math.max(prefill, speed);
                } else {
                    decode = Math.max(decode, speed);
                }
            }
        }
        return new Speeds(prefill, decode);
    }
}
