package dev.holdfast.cli;

import dev.holdfast.engine.ModelBenchmark;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Speed as the Markdown table that llama-bench prints, so that rows of both fit under one head. */
record BenchTable(Path file, int threads, int depth) {
    private static final String HEAD = """
            | model | size | params | backend | threads | test | t/s |
            | --- | ---: | ---: | --- | ---: | ---: | ---: |
            """;

    String of(ModelBenchmark.Speed measured, int prefill, int decode) {
        return HEAD
                + row(measured, "pp" + prefill, measured.prefill())
                + row(measured, "tg" + decode, measured.decode());
    }

    private String row(ModelBenchmark.Speed measured, String test, List<Double> samples) {
        if (samples.isEmpty()) {
            return "";
        }
        double mean = samples.stream().mapToDouble(Double::doubleValue).sum() / samples.size();
        double squares = samples.stream()
                .mapToDouble(sample -> (sample - mean) * (sample - mean))
                .sum();
        double deviation = samples.size() < 2 ? 0 : Math.sqrt(squares / (samples.size() - 1));
        return String.format(
                Locale.ROOT,
                "| %s | %.2f MiB | %.2f M | Java | %d | %s | %.2f ± %.2f |%n",
                file.getFileName(),
                measured.modelBytes() / 1048576.0,
                measured.parameters() / 1e6,
                threads,
                depth == 0 ? test : test + " @ d" + depth,
                mean,
                deviation);
    }
}
