package dev.holdfast.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufReader;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The vector kernels against their scalar twin, at sizes that fill no vector. */
class KernelsTest {
    private final Kernels vector = new VectorKernels();
    private final Kernels scalar = new ScalarKernels();
    private final Random random = new Random(5);

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "F32,1,1",
        "F32,172,7",
        "F32,33,13",
        "F16,1,3",
        "F16,172,6",
        "Q8_0,32,1",
        "Q8_0,96,7",
        "Q8_0,352,18",
        "BF16,33,5",
        "Q4_0,32,1",
        "Q4_0,352,13",
        "Q4_1,96,7",
        "Q5_0,96,11",
        "Q5_1,96,3",
        "IQ4_NL,64,9",
        "Q4_K,512,8",
        "Q5_K,256,6",
        "Q6_K,768,7",
        "F16,1029,8",
        "Q8_0,2080,13",
        "Q4_K,1280,7"
    })
    void productsAgree(GgmlType type, int columns, int rows) throws Exception {
        Weights weights = weights(type, columns, rows);
        float[] scratch = new float[Kernels.ROWS * columns];
        float[] one = random(columns);
        float[] expected = new float[rows];
        float[] actual = new float[rows];
        scalar.product(weights, 0, rows, one, expected, scratch);
        vector.product(weights, 0, rows, one, actual, scratch);
        assertThat(actual).containsExactly(expected, within(1e-4f));
        float[] later = new float[rows];
        vector.product(weights, rows / 2, rows, one, later, scratch);
        assertThat(Arrays.copyOf(later, rows / 2)).isEqualTo(new float[rows / 2]);
        assertClose(later, rows / 2, expected, rows / 2, rows - rows / 2, 1e-4f);

        for (int tokens : new int[] {1, 5, 16, 17, 32, 33, 48, 64}) {
            float[] batch = random(columns * Kernels.BATCH);
            float[] expectedBatch = new float[rows * Kernels.BATCH];
            float[] actualBatch = new float[rows * Kernels.BATCH];
            scalar.batchProduct(weights, 0, rows, batch, expectedBatch, Kernels.BATCH, scratch);
            vector.batchProduct(weights, 0, rows, batch, actualBatch, tokens, scratch);
            for (int r = 0; r < rows; r++) {
                for (int t = 0; t < tokens; t++) {
                    assertThat(actualBatch[r * Kernels.BATCH + t])
                            .isCloseTo(expectedBatch[r * Kernels.BATCH + t], within(1e-4f));
                }
            }
        }
    }

    /** Not nearly: what a delta or a digest of logits is compared with must not depend on which of the two unpacked. */
    @ParameterizedTest
    @EnumSource(
            value = GgmlType.class,
            names = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL"})
    void rowsAreUnpackedBitForBit(GgmlType type) throws Exception {
        Weights weights = weights(type, 1024, 9);
        for (int row = 0; row < 9; row++) {
            float[] expected = new float[1024 + 3];
            float[] actual = new float[1024 + 3];
            scalar.row(weights, row, expected, 3);
            vector.row(weights, row, actual, 3);
            assertThat(actual).isEqualTo(expected);
        }
    }

    @Test
    void helpersComputeWhatOneThreadComputes() throws Exception {
        Weights weights = weights(GgmlType.Q8_0, 512, 611);
        float[] scratch = new float[Kernels.ROWS * 512];
        try (KernelPool one = new KernelPool(1);
                KernelPool three = new KernelPool(3)) {
            MatMul products = new MatMul();
            for (int round = 0; round < 200; round++) {
                float[] x = random(512);
                float[] expected = new float[611];
                float[] actual = new float[611];
                products.of(x, 1, 1).to(weights, expected).run(new Workers(vector, one), scratch);
                products.of(x, 1, 1).to(weights, actual).run(new Workers(vector, three), scratch);
                // The order of a horizontal sum is the compiler's choice.
                assertClose(actual, expected, 611, 1e-4f);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"8,1,1", "16,17,4", "32,63,3", "80,64,6", "128,65,4", "2,200,9", "24,40,5"})
    void attentionAgrees(int headSize, int positions, int count) {
        int stride = Kernels.padded(positions, Kernels.PADDING);
        int valueStride = KeyValueCache.valueStride(headSize);
        float[] keys = random(headSize * stride + 9);
        float[] values = random(positions * valueStride + 9);
        Kernels.Queries queries = new Kernels.Queries(random(headSize * 32 + 5), 5, count, 2, 32, headSize, 0.3f);
        float[] expected = new float[count * stride + 7];
        float[] actual = new float[count * stride + 7];
        scalar.scores(queries, keys, 9, stride, positions, expected, 7, stride);
        vector.scores(queries, keys, 9, stride, positions, actual, 7, stride);
        for (int i = 0; i < count; i++) {
            assertClose(actual, 7 + i * stride, expected, 7 + i * stride, positions, 1e-4f);
            scalar.softmax(expected, 7 + i * stride, positions);
            vector.softmax(actual, 7 + i * stride, positions);
            assertClose(actual, 7 + i * stride, expected, 7 + i * stride, positions, 1e-6f);
        }
        float[] expectedMix = random(count * valueStride + 3);
        float[] actualMix = expectedMix.clone();
        scalar.mix(expected, 7, count, stride, positions, values, 9, valueStride, expectedMix, 3);
        vector.mix(actual, 7, count, stride, positions, values, 9, valueStride, actualMix, 3);
        for (int i = 0; i < count; i++) {
            assertClose(actualMix, 3 + i * valueStride, expectedMix, 3 + i * valueStride, headSize, 1e-5f);
        }
    }

    @Test
    void softmaxTakesExtremes() {
        float[] scores = new float[64];
        Arrays.fill(scores, -3e38f);
        scores[3] = 3e38f;
        vector.softmax(scores, 0, 40);
        assertThat(scores[3]).isEqualTo(1f);
        assertThat(scores[4]).isLessThan(1e-37f);
    }

    @ParameterizedTest
    @CsvSource({"1,1", "97,1", "64,32", "97,32"})
    void normsAndActivationsAgree(int features, int stride) {
        float[] x = random(features * stride);
        float[] gain = random(features);
        float[] expected = new float[x.length];
        float[] actual = new float[x.length];
        scalar.rmsNorm(x, 0, gain, expected, features, stride, 1e-5f);
        vector.rmsNorm(x, 0, gain, actual, features, stride, 1e-5f);
        assertClose(actual, expected, x.length, 1e-5f);
        int half = features / 2;
        scalar.rmsNorm(x, half * stride, gain, expected, features - half, stride, 1e-5f);
        vector.rmsNorm(x, half * stride, gain, actual, features - half, stride, 1e-5f);
        assertClose(actual, expected, x.length, 1e-5f);
        float[] bias = random(features);
        float[] expectedNorm = x.clone();
        float[] actualNorm = x.clone();
        scalar.layerNorm(expectedNorm, gain, bias, features, stride, 1e-5f);
        vector.layerNorm(actualNorm, gain, bias, features, stride, 1e-5f);
        assertClose(actualNorm, expectedNorm, x.length, 1e-5f);

        float[] up = random(x.length);
        float[] expectedGate = x.clone();
        for (int i = 0; i < x.length; i++) {
            expectedGate[i] *= 1 << i % 8;
        }
        for (Activation activation : Activation.values()) {
            float[] expectedBent = expectedGate.clone();
            float[] actualBent = expectedGate.clone();
            scalar.gate(activation, expectedBent, up, x.length);
            vector.gate(activation, actualBent, up, x.length);
            assertClose(actualBent, expectedBent, x.length, 1e-4f);
        }
    }

    private static void assertClose(float[] actual, float[] expected, int length, float tolerance) {
        assertClose(actual, 0, expected, 0, length, tolerance);
    }

    private static void assertClose(
            float[] actual, int actualAt, float[] expected, int expectedAt, int length, float tolerance) {
        for (int i = 0; i < length; i++) {
            assertThat(actual[actualAt + i]).as("element " + i).isCloseTo(expected[expectedAt + i], within(tolerance));
        }
    }

    private Weights weights(GgmlType type, int columns, int rows) throws Exception {
        Path path = folder.resolve("w.gguf");
        new GgufWriter()
                .tensor("w", type, RowSource.of(random(columns * rows)), columns, rows)
                .write(path);
        MemorySegment file = MemorySegment.ofArray(Files.readAllBytes(path));
        GgufTensor tensor = GgufReader.read(file).orThrow().tensor("w").orElseThrow();
        return new Weights(type, file, tensor.offset(), rows, columns, tensor.rowBytes());
    }

    private float[] random(int length) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        return values;
    }
}
