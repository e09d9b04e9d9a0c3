package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.architectures.Architectures;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.TensorTable;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.KernelPool;
import dev.holdfast.engine.kernels.Kernels;
import dev.holdfast.engine.kernels.ScalarKernels;
import dev.holdfast.engine.kernels.VectorKernels;
import dev.holdfast.engine.kernels.Workers;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Logits against an independent engine's, which computed with the same weights as 32-bit floats. */
class ReferenceLogitsTest {
    /** Ten times the noise that 32-bit arithmetic was measured to have. */
    private static final float TOLERANCE = 2e-4f;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama-s-F32",
                "llama-s-F16",
                "llama-s-BF16",
                "llama-s-Q8_0",
                "llama-s-Q4_0",
                "llama-s-Q4_1",
                "llama-s-Q5_0",
                "llama-s-Q5_1",
                "llama-s-IQ4_NL",
                "llama-s-Q4_K_M",
                "llama-w-Q8_0",
                "llama-w-Q4_0",
                "llama-w-Q4_K_M",
                "llama-w-Q5_K_M",
                "llama-w-Q6_K",
                "qwen2-s-F32",
                "qwen2-s-Q8_0",
                "qwen2-s-Q4_0",
                "qwen2-w-Q4_K_M",
                "gemma3-s-F32",
                "gemma3-s-Q8_0",
                "gemma3-s-Q4_0",
                "gemma3-w-Q4_K_M"
            })
    void logitsAgreeWithTheReferenceInBatches(String model) throws Exception {
        compare(model, new VectorKernels(), 2, Integer.MAX_VALUE);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama-s-F32",
                "llama-s-Q8_0",
                "llama-w-Q8_0",
                "llama-s-Q5_1",
                "llama-w-Q5_K_M",
                "llama-w-Q6_K",
                "gemma3-s-F32",
                "gemma3-w-Q4_K_M"
            })
    void logitsAgreeWithTheReferenceTokenByToken(String model) throws Exception {
        compare(model, new VectorKernels(), 1, 1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama-s-F32",
                "llama-s-Q8_0",
                "llama-s-IQ4_NL",
                "llama-w-Q4_K_M",
                "qwen2-w-Q4_K_M",
                "gemma3-s-Q4_0"
            })
    void scalarKernelsAgreeWithTheReference(String model) throws Exception {
        compare(model, new ScalarKernels(), 1, 7);
    }

    /** What the references' README allows a cache of 16-bit floats, and an engine that rounds to eight bits. */
    @ParameterizedTest
    @CsvSource({
        "llama-s-F32,F16,0.1,5e-5",
        "llama-w-Q8_0,F16,0.1,5e-5",
        "qwen2-s-F32,F16,0.1,5e-5",
        "gemma3-s-F32,F16,0.1,5e-5",
        "gemma3-w-Q4_K_M,F16,0.1,5e-5",
        "llama-s-F32,Q8_0,1.5,0.02",
        "llama-w-Q8_0,Q8_0,1.5,0.02",
        "qwen2-s-F32,Q8_0,1.5,0.02",
        "gemma3-s-F32,Q8_0,1.5,0.02",
        "gemma3-w-Q4_K_M,Q8_0,1.5,0.02"
    })
    void aSmallerCacheCostsWhatItMay(String model, CacheType cache, float distance, double divergence)
            throws Exception {
        for (int step : new int[] {1, Integer.MAX_VALUE}) {
            Distance measured = compare(model, new VectorKernels(), 2, step, cache);
            assertThat(measured.largest).isLessThan(distance);
            assertThat(measured.divergence / measured.rows).isLessThan(divergence);
            // Else the cache was not of that type.
            assertThat(measured.largest).isGreaterThan(TOLERANCE);
        }
    }

    /** The largest difference of any logit, and the divergence (natural logarithm) summed over rows. */
    private static final class Distance {
        float largest;
        double divergence;
        int rows;
    }

    private static void compare(String model, Kernels kernels, int threads, int step) throws Exception {
        assertThat(compare(model, kernels, threads, step, CacheType.F32).largest)
                .as(model)
                .isLessThan(TOLERANCE);
    }

    private static Distance compare(String model, Kernels kernels, int threads, int step, CacheType cache)
            throws Exception {
        JsonNode entry = entry("models/" + model + ".gguf");
        try (MappedModel mapped = MappedModel.map(Fixtures.path("models/" + model + ".gguf"))
                        .orThrow();
                Workers workers = new Workers(kernels, new KernelPool(threads))) {
            assertThat(mapped.digest()).hasToString(entry.get("sha256").textValue());
            Transformer transformer = (Transformer)
                    Architectures.load(new TensorTable(mapped.head().orThrow(), mapped.bytes()));
            transformer.prepare(workers, 512);
            Distance distance = new Distance();
            for (JsonNode sequence : entry.get("sequences")) {
                float[] expected = Fixtures.floats(Fixtures.path(reference(sequence)));
                measure(transformer, new Sequence(transformer.shape(), 100, cache), sequence, expected, step, distance);
            }
            return distance;
        }
    }

    /** The sharpest numbers that there are: the reference engine takes GELU from a table of 16-bit numbers. */
    private static String reference(JsonNode sequence) {
        for (String name : new String[] {"logits_exact_math", "logits_dequantised"}) {
            if (sequence.has(name)) {
                return sequence.get(name).textValue();
            }
        }
        return sequence.get("logits").textValue();
    }

    private static void measure(
            Transformer transformer, Sequence state, JsonNode sequence, float[] expected, int step, Distance sum) {
        int[] tokens = Fixtures.ints(sequence.get("tokens"));
        int[] positions = Fixtures.ints(sequence.get("positions"));
        int width = transformer.shape().vocabulary();
        assertThat(expected).hasSize(positions.length * width);
        boolean[] seen = new boolean[positions.length];
        for (int from = 0; from < tokens.length; from += Math.min(step, tokens.length)) {
            int count = Math.min(step, tokens.length - from);
            transformer.read(state, tokens, from, count, (position, logits) -> {
                int row = Arrays.binarySearch(positions, position);
                if (row >= 0) {
                    seen[row] = true;
                    measure(logits, Arrays.copyOfRange(expected, row * width, (row + 1) * width), sum);
                }
            });
        }
        assertThat(seen).doesNotContain(false);
    }

    private static void measure(float[] logits, float[] expected, Distance sum) {
        for (int i = 0; i < logits.length; i++) {
            sum.largest = Math.max(sum.largest, Math.abs(logits[i] - expected[i]));
            double log = LogProbabilities.of(expected, i);
            sum.divergence += Math.exp(log) * (log - LogProbabilities.of(logits, i));
        }
        sum.rows++;
    }

    private static JsonNode entry(String model) throws Exception {
        for (JsonNode entry : Fixtures.json("manifest.json").get("entries")) {
            if (entry.get("model").textValue().equals(model)) {
                return entry;
            }
        }
        throw new AssertionError(model);
    }
}
