package dev.holdfast.engine.architectures;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.holdfast.engine.LoadedModel;
import dev.holdfast.engine.RandomModel;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.gguf.GgmlType;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The engine against plain 64-bit loops, for architectures without another engine's numbers. */
class PlainNetworksTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"F32, 1", "F32, 64", "Q8_0, 64", "Q4_0, 7"})
    void qwen3(GgmlType type, int step) throws Exception {
        Path path = folder.resolve("m.gguf");
        // Heads are wider together than the model, as in Qwen3 0.6B.
        ModelShape shape = new ModelShape(128, 3, 96, 4, 2, 32, 160, 300);
        new RandomModel("qwen3", shape, type, 7).put("rope.freq_base", 1e6f).writeDecoder(path);
        int[] tokens = new Random(2).ints(45, 0, shape.vocabulary()).toArray();
        double[][] expected = new PlainNetworks(path).decoder(tokens);
        try (Workers workers = Workers.of(2);
                LoadedModel model =
                        LoadedModel.load(path, workers, 128, CacheType.F32).orThrow()) {
            Sequence sequence = model.newSequence();
            for (int from = 0; from < tokens.length; from += step) {
                model.decoder()
                        .orThrow()
                        .read(sequence, tokens, from, Math.min(step, tokens.length - from), (p, logits) -> {
                            for (int i = 0; i < logits.length; i++) {
                                assertThat((double) logits[i]).as("token " + p).isCloseTo(expected[p][i], within(2e-4));
                            }
                        });
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"F32, 1, 1", "F32, 32, 2", "F32, 45, 3", "Q8_0, 100, 1"})
    void bert(GgmlType type, int length, int pooling) throws Exception {
        Path path = folder.resolve("m.gguf");
        ModelShape shape = new ModelShape(128, 3, 96, 4, 4, 24, 160, 300);
        new RandomModel("bert", shape, type, 8).put("pooling_type", pooling).writeEncoder(path);
        int[] tokens = new Random(length).ints(length, 0, shape.vocabulary()).toArray();
        double[][] each = new PlainNetworks(path).bert(tokens);
        try (Workers workers = Workers.of(2);
                LoadedModel model =
                        LoadedModel.load(path, workers, 128, CacheType.F32).orThrow()) {
            float[] pooled = model.encoder().orThrow().embed(tokens);
            for (int i = 0; i < pooled.length; i++) {
                double mean = 0;
                for (double[] token : each) {
                    mean += token[i] / length;
                }
                double expected = switch (pooling) {
                    case 1 -> mean;
                    case 2 -> each[0][i];
                    default -> each[length - 1][i];
                };
                assertThat((double) pooled[i]).isCloseTo(expected, within(5e-5));
            }
        }
    }
}
