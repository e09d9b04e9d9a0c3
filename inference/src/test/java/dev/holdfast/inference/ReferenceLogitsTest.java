package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
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

    private static void compare(String model, Kernels kernels, int threads, int step) throws Exception {
        JsonNode entry = entry("models/" + model + ".gguf");
        try (MappedModel mapped = MappedModel.map(Fixtures.path("models/" + model + ".gguf"))
                        .orThrow();
                Workers workers = new Workers(kernels, new ThreadTeam(threads))) {
            assertThat(mapped.digest()).hasToString(entry.get("sha256").textValue());
            Transformer transformer = (Transformer)
                    Architectures.load(new TensorTable(mapped.head().orThrow(), mapped.bytes()));
            transformer.prepare(workers, 512);
            for (JsonNode sequence : entry.get("sequences")) {
                float[] expected = Fixtures.floats(Fixtures.path(reference(sequence)));
                assertThat(distance(transformer, sequence, expected, step))
                        .as(model + " " + sequence.get("name"))
                        .isLessThan(TOLERANCE);
            }
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

    private static float distance(Transformer transformer, JsonNode sequence, float[] expected, int step) {
        int[] tokens = Fixtures.ints(sequence.get("tokens"));
        int[] positions = Fixtures.ints(sequence.get("positions"));
        int width = transformer.shape().vocabulary();
        assertThat(expected).hasSize(positions.length * width);
        float[] largest = {0};
        boolean[] seen = new boolean[positions.length];
        Sequence state = new Sequence(transformer.shape(), 100);
        for (int from = 0; from < tokens.length; from += Math.min(step, tokens.length)) {
            int count = Math.min(step, tokens.length - from);
            transformer.read(state, tokens, from, count, (position, logits) -> {
                int row = Arrays.binarySearch(positions, position);
                for (int i = 0; row >= 0 && i < width; i++) {
                    seen[row] = true;
                    largest[0] = Math.max(largest[0], Math.abs(logits[i] - expected[row * width + i]));
                }
            });
        }
        assertThat(seen).doesNotContain(false);
        return largest[0];
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
