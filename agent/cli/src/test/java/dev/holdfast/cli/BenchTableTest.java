package dev.holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.ModelBenchmark;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The rows are those of llama-bench. */
class BenchTableTest {
    private static final ModelBenchmark.Speed MEASURED =
            new ModelBenchmark.Speed(List.of(90.0, 110.0), List.of(40.0), 1, 2, 3, 2 << 20, 1_500_000);

    @Test
    void meanAndDeviationStandInEachRow() {
        assertThat(new BenchTable(Path.of("models", "m.gguf"), 2, 0)
                        .of(MEASURED, 512, 64)
                        .lines())
                .contains(
                        "| m.gguf | 2.00 MiB | 1.50 M | Java | 2 | pp512 | 100.00 ± 14.14 |",
                        "| m.gguf | 2.00 MiB | 1.50 M | Java | 2 | tg64 | 40.00 ± 0.00 |");
    }

    @Test
    void depthStandsBehindTheTest() {
        assertThat(new BenchTable(Path.of("m.gguf"), 1, 1500).of(MEASURED, 512, 64))
                .contains("| pp512 @ d1500 |", "| tg64 @ d1500 |");
    }
}
