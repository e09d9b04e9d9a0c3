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
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rows times several vectors, against the scalar twin, at sizes that fill no vector. */
class VectorTilesTest {
    private final Random random = new Random(6);

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "F32,1,3",
        "F32,33,5",
        "F16,172,6",
        "BF16,7,2",
        "Q8_0,32,1",
        "Q8_0,96,7",
        "Q8_0,352,4",
        "Q4_0,32,1",
        "Q4_0,352,5",
        "Q5_0,96,3",
        "Q4_K,256,2",
        "Q6_K,512,3",
        "IQ4_NL,64,2"
    })
    void agreeWithTheScalarTwin(GgmlType type, int columns, int rows) throws Exception {
        Path path = folder.resolve("w.gguf");
        new GgufWriter()
                .tensor("w", type, RowSource.of(random(columns * rows)), columns, rows)
                .write(path);
        MemorySegment file = MemorySegment.ofArray(Files.readAllBytes(path));
        GgufTensor tensor = GgufReader.read(file).orThrow().tensor("w").orElseThrow();
        Weights weights = new Weights(type, file, tensor.offset(), rows, columns, tensor.rowBytes());
        float[] scratch = new float[Kernels.scratchFloats(columns)];
        for (int count = 1; count <= 16; count++) {
            float[][] xs = new float[count][];
            float[][] expected = new float[count][rows];
            float[][] actual = new float[count][rows];
            for (int i = 0; i < count; i++) {
                xs[i] = random(columns);
            }
            new ScalarKernels().products(weights, 0, rows, xs, expected, count, scratch);
            new VectorKernels().products(weights, 0, rows, xs, actual, count, scratch);
            for (int i = 0; i < count; i++) {
                assertThat(actual[i]).as(i + " of " + count).containsExactly(expected[i], within(1e-4f));
            }
        }
    }

    private float[] random(int length) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        return values;
    }
}
