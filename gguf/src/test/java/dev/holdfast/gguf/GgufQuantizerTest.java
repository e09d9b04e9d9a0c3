package dev.holdfast.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GgufQuantizerTest {
    @TempDir
    Path dir;

    private final float[] weights = new float[256 * 8];

    @BeforeEach
    void aModelOfFloats() throws IOException {
        Random random = new Random(5);
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) (random.nextGaussian() * 0.05);
        }
        new GgufWriter()
                .put("general.architecture", "llama")
                .tensor("wide", GgmlType.F32, RowSource.of(weights), 256, 8)
                .tensor("narrow", GgmlType.F16, RowSource.of(weights), 32, 64)
                .tensor("odd", GgmlType.F32, RowSource.of(weights), 30, 4)
                .tensor("norm", GgmlType.F32, RowSource.of(weights), 256)
                .write(dir.resolve("f32.gguf"));
    }

    private Verdict<GgufQuantizer.Summary> quantize(GgmlType type) throws IOException {
        return GgufQuantizer.quantize(dir.resolve("f32.gguf"), dir.resolve("out.gguf"), type);
    }

    @Test
    void rowsThatAreNoMultipleOf256FallBackAsGgmlDoes() throws Exception {
        assertThat(quantize(GgmlType.Q4_K).orThrow().tensors())
                .isEqualTo(Map.of(GgmlType.Q4_K, 1, GgmlType.Q5_0, 1, GgmlType.F32, 2));
        assertThat(quantize(GgmlType.Q6_K).orThrow().tensors()).containsEntry(GgmlType.Q8_0, 1);
        GgufFile file = GgufReader.read(MemorySegment.ofArray(Files.readAllBytes(dir.resolve("out.gguf"))))
                .orThrow();
        assertThat(file.text("general.architecture", null)).isEqualTo(Verdict.accepted("llama"));
    }

    @Test
    void makesTheSameBytesTwice() throws Exception {
        quantize(GgmlType.Q5_K).orThrow();
        byte[] first = Files.readAllBytes(dir.resolve("out.gguf"));
        quantize(GgmlType.Q5_K).orThrow();
        assertThat(Files.readAllBytes(dir.resolve("out.gguf"))).isEqualTo(first);
    }

    @ParameterizedTest
    @CsvSource({"Q8_0, 0.006", "Q5_0, 0.06", "Q5_1, 0.05", "Q4_0, 0.12", "Q4_1, 0.1"})
    void losesNoMoreThanItsStepAllows(GgmlType type, double relativeError) throws Exception {
        quantize(type).orThrow();
        GgufTensor tensor = GgufReader.read(MemorySegment.ofArray(Files.readAllBytes(dir.resolve("out.gguf"))))
                .orThrow()
                .tensor("wide")
                .orElseThrow();
        byte[] all = Files.readAllBytes(dir.resolve("out.gguf"));
        double error = 0;
        double power = 0;
        for (int i = 0; i < weights.length; i++) {
            double made = value(type, all, (int) tensor.offset(), i);
            error += (made - weights[i]) * (made - weights[i]);
            power += weights[i] * (double) weights[i];
        }
        assertThat(Math.sqrt(error / power)).isLessThan(relativeError).isGreaterThan(relativeError / 4);
    }

    /** Dequantizes by the layouts' definition, one weight at a time. */
    private static double value(GgmlType type, byte[] all, int at, int weight) {
        int block = at + weight / 32 * type.blockBytes();
        int j = weight % 32;
        double d = half(all, block);
        if (type == GgmlType.Q8_0) {
            return d * all[block + 2 + j];
        }
        boolean minimum = type == GgmlType.Q4_1 || type == GgmlType.Q5_1;
        boolean five = type == GgmlType.Q5_0 || type == GgmlType.Q5_1;
        int head = minimum ? 4 : 2;
        int high = five ? (all[block + head + j / 8] >> j % 8 & 1) << 4 : 0;
        int pair = all[block + head + (five ? 4 : 0) + j % 16];
        int quant = (j < 16 ? pair & 15 : pair >> 4 & 15) | high;
        return minimum ? d * quant + half(all, block + 2) : d * (quant - (five ? 16 : 8));
    }

    private static double half(byte[] all, int at) {
        return Float.float16ToFloat((short) (all[at] & 255 | all[at + 1] << 8));
    }

    @Test
    void refusesWhatIsQuantizedAlready() throws Exception {
        quantize(GgmlType.Q8_0).orThrow();
        assertThat(GgufQuantizer.quantize(dir.resolve("out.gguf"), dir.resolve("again.gguf"), GgmlType.Q4_0))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        rejected -> assertThat(rejected.reason().code()).isEqualTo(Code.GGUF_UNSUPPORTED));
        assertThat(dir.resolve("again.gguf")).doesNotExist();
    }
}
