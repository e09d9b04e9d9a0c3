package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelBenchmarkTest {
    private static final int CONTEXT = 64;

    @TempDir
    Path folder;

    private Path model = Path.of("");

    @BeforeEach
    void write() throws Exception {
        model = folder.resolve("m.gguf");
        TinyModel.write(model, 1, TinyModel.Flaw.NONE);
    }

    @Test
    void measuresFromAnEmptySequenceWithoutDepth() throws Exception {
        try (ModelRunner runner = open()) {
            ModelBenchmark.Speed measured =
                    new ModelBenchmark(runner).run(0, 3, 5, 2).orThrow();
            assertThat(measured.prefillTokensPerSecond()).isPositive();
            assertThat(measured.decodeTokensPerSecond()).isPositive();
            assertThat(runner.position()).isEqualTo(5);
        }
    }

    @Test
    void decodesBehindTheDepth() throws Exception {
        try (ModelRunner runner = open()) {
            ModelBenchmark.Speed measured =
                    new ModelBenchmark(runner).run(40, 0, 5, 2).orThrow();
            assertThat(measured.decode()).hasSize(2);
            assertThat(measured.prefill()).isEmpty();
            assertThat(runner.position()).isEqualTo(45);
        }
    }

    @Test
    void aPromptLongerThanTheRestOfTheContextBeginsAgainBehindTheDepth() throws Exception {
        try (ModelRunner runner = open()) {
            new ModelBenchmark(runner).run(40, CONTEXT - 40 + 3, 0, 1).orThrow();
            assertThat(runner.position()).isEqualTo(43);
        }
    }

    @Test
    void rejectsADepthThatLeavesNoRoom() throws Exception {
        try (ModelRunner runner = open()) {
            for (int depth : new int[] {-1, CONTEXT}) {
                Verdict<ModelBenchmark.Speed> verdict = new ModelBenchmark(runner).run(depth, 0, 1, 1);
                assertThat(((Verdict.Rejected<ModelBenchmark.Speed>) verdict)
                                .reason()
                                .code())
                        .isEqualTo(Code.API_CONTEXT);
            }
            assertThat(new ModelBenchmark(runner).run(CONTEXT - 1, 0, 1, 1).isAccepted())
                    .isTrue();
        }
    }

    private ModelRunner open() throws Exception {
        return ModelRunner.open(model, CONTEXT, 1).orThrow();
    }
}
