package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * llama3.java, the other engine in Java, with the flags that it asks for itself. Its source is one file, which the environment
 * variable {@code LLAMA3_JAVA} names; {@code bench/peers/Llama3Speed.java} is compiled beside it and times it.
 */
record Llama3Java() implements PeerEngine {
    private static final String VARIABLE = "LLAMA3_JAVA";
    private static final int RUNS = 3;

    @Override
    public String name() {
        return "llama3.java";
    }

    @Override
    public int turns() {
        return 1;
    }

    @Override
    public Optional<String> obstacle(ShapedModel model) {
        if (Tool.named(VARIABLE).isEmpty()) {
            return Optional.of("absent: " + VARIABLE + " names no Llama3.java");
        }
        return model.architecture().equals("llama")
                ? Optional.empty()
                : Optional.of("cannot: it reads the architecture `llama` alone, and adds no bias in attention");
    }

    @Override
    public Speeds goal(GgmlType type) {
        return new Speeds(4, 2);
    }

    @Override
    public Speeds measure(Path file, int threads, Load load) throws IOException, InterruptedException {
        if (load.depth() != 0) {
            throw new IllegalArgumentException("llama3.java is measured without depth only");
        }
        Path bin = Path.of(System.getProperty("java.home"), "bin");
        String classes = Path.of("bench", "target", "llama3").toString();
        List<String> vectors = List.of("--add-modules", "jdk.incubator.vector");
        Tool.output(Tool.joined(List.of(
                List.of(bin.resolve("javac").toString(), "-d", classes),
                vectors,
                List.of(Tool.named(VARIABLE).orElseThrow(), "bench/peers/Llama3Speed.java"))));
        // Its threads are the caller and those of the common pool.
        JsonNode result = Tool.json(Tool.joined(List.of(
                List.of(bin.resolve("java").toString()),
                vectors,
                List.of(
                        "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0",
                        "-Djava.util.concurrent.ForkJoinPool.common.parallelism=" + (threads - 1),
                        "--sun-misc-unsafe-memory-access=allow",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        classes,
                        "com.llama4j.Llama3Speed",
                        file.toString(),
                        "" + load.prefill(),
                        "" + load.decode(),
                        "" + RUNS))));
        return new Speeds(
                result.path("prefill").doubleValue(), result.path("decode").doubleValue());
    }
}
