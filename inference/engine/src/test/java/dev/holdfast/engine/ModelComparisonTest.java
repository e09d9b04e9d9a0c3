package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelComparisonTest {
    private static final int CONTEXT = 40;

    @TempDir
    Path folder;

    @Test
    void aModelDoesNotDivergeFromItself() throws Exception {
        try (ModelRunner one = open(1);
                ModelRunner again = open(1)) {
            ModelComparison same =
                    ModelComparison.of(one, again, text(one), CONTEXT).orThrow();
            assertThat(same.meanDivergence()).isEqualTo(0);
            assertThat(same.sameTop()).isEqualTo(1);
            assertThat(same.perplexity()).isEqualTo(same.basePerplexity());
            assertThat(same.perplexity())
                    .isCloseTo(Perplexity.of(one, text(one), CONTEXT).orThrow().value(), within(1e-9));
            assertThat(same.windows()).isEqualTo(3);
            assertThat(same.tokens()).isEqualTo(3 * 19);
        }
    }

    @Test
    void divergenceIsWhatTheDefinitionGivesFromTheLogits() throws Exception {
        try (ModelRunner one = open(1);
                ModelRunner two = open(2)) {
            int[] text = text(one);
            ModelComparison measured =
                    ModelComparison.of(one, two, text, CONTEXT).orThrow();
            double sum = 0;
            double largest = 0;
            for (int w = 0; w < 3; w++) {
                int[] window = Perplexity.windows(one, text, CONTEXT).orThrow()[w];
                float[] base = logits(one, window);
                float[] model = logits(two, window);
                int size = one.shape().vocabulary();
                for (int at = CONTEXT / 2; at < CONTEXT - 1; at++) {
                    double divergence = plain(base, model, at * size, size);
                    sum += divergence;
                    largest = Math.max(largest, divergence);
                }
            }
            assertThat(measured.meanDivergence()).isCloseTo(sum / measured.tokens(), within(1e-6));
            assertThat(measured.maxDivergence()).isCloseTo(largest, within(1e-6));
            assertThat(measured.p99Divergence()).isBetween(measured.meanDivergence(), measured.maxDivergence());
            assertThat(measured.sameTop()).isLessThan(1);
        }
    }

    private float[] logits(ModelRunner runner, int[] window) throws Exception {
        Path out = folder.resolve("logits");
        runner.logits(window, true, out).orThrow();
        return Fixtures.floats(out);
    }

    private static double plain(float[] base, float[] model, int from, int size) {
        double baseSum = 0;
        double modelSum = 0;
        for (int i = from; i < from + size; i++) {
            baseSum += Math.exp(base[i]);
            modelSum += Math.exp(model[i]);
        }
        double divergence = 0;
        for (int i = from; i < from + size; i++) {
            double p = Math.exp(base[i]) / baseSum;
            divergence += p * Math.log(p / (Math.exp(model[i]) / modelSum));
        }
        return divergence;
    }

    @Test
    void windowsThatDoNotFitAreRefused() throws Exception {
        try (ModelRunner one = open(1);
                ModelRunner two = open(2)) {
            Verdict<ModelComparison> verdict = ModelComparison.of(one, two, new int[10], CONTEXT);
            assertThat(((Verdict.Rejected<ModelComparison>) verdict).reason().code())
                    .isEqualTo(Code.API_CONTEXT);
            assertThat(ModelComparison.of(one, two, new int[] {-1, 2, 3, 4}, 4).isAccepted())
                    .isFalse();
        }
    }

    private ModelRunner open(long seed) throws Exception {
        Path file = folder.resolve("tiny-" + seed + ".gguf");
        TinyModel.write(file, seed, TinyModel.Flaw.NONE);
        return ModelRunner.open(file, 128, 1).orThrow();
    }

    private static int[] text(ModelRunner runner) {
        return new Random(5)
                .ints(3 * CONTEXT + 7, 0, runner.shape().vocabulary())
                .toArray();
    }
}
