package dev.holdfast.engine.architectures;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.RandomModel;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufType;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Everything that a file says of its architecture is computed, or the file is refused by the name of the key. */
class ArchitectureKeysTest {
    private static final ModelShape SHAPE = new ModelShape(128, 2, 96, 4, 2, 32, 160, 300);
    private static final int[] TOKENS = new Random(4).ints(24, 0, 300).toArray();

    @TempDir
    Path folder;

    private static RandomModel model(String architecture) {
        return new RandomModel(architecture, SHAPE, GgmlType.F32, 9);
    }

    private Path written(RandomModel model) throws Exception {
        Path file = folder.resolve("m.gguf");
        model.writeDecoder(file);
        return file;
    }

    /** As a file would have it: a number with a point is a real one. */
    private static GgufValue value(String written) {
        return switch (written) {
            case "true" -> new GgufValue.Flag(true);
            case "false" -> new GgufValue.Flag(false);
            case String number
            when number.matches("-?[0-9]+") -> new GgufValue.Whole(GgufType.INT32, Long.parseLong(number));
            case String number
            when number.matches("-?[0-9.]+") -> new GgufValue.Real(GgufType.FLOAT32, Double.parseDouble(number));
            case String list
            when list.startsWith("[") ->
                list(list.substring(1, list.length() - 1).split(";"));
            default -> new GgufValue.Text(written);
        };
    }

    private static GgufValue list(String... numbers) {
        int[] values = new int[numbers.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = Integer.parseInt(numbers[i]);
        }
        return GgufValue.Numbers.ofInts(values);
    }

    @ParameterizedTest
    @CsvSource({
        "llama, attention.clamp_kqv, 8.0",
        "llama, attention.scale, 0.5",
        "llama, attention.sliding_window, 16",
        "llama, attention.causal, false",
        "llama, attention.max_alibi_bias, 8.0",
        "llama, attention.key_length_swa, 16",
        "llama, attention.q_lora_rank, 16",
        "llama, attention.temperature_scale, 0.1",
        "llama, attn_logit_softcapping, 50.0",
        "llama, final_logit_softcapping, 30.0",
        "gemma3, final_logit_softcapping, 30.0",
        "llama, logit_scale, 0.25",
        "llama, embedding_scale, 12.0",
        "llama, residual_scale, 0.22",
        "llama, expert_count, 8",
        "llama, nextn_predict_layers, 1",
        "llama, leading_dense_block_count, 1",
        "llama, use_parallel_residual, true",
        "llama, swiglu_clamp_exp, [7;7]",
        "llama, pooling_type, 3",
        "llama, embedding_length_out, 48",
        "llama, tensor_data_layout, other",
        "llama, rope.scaling.type, longrope",
        "llama, rope.scaling.alpha, 1000.0",
        "llama, rope.scaling.yarn_log_multiplier, 0.1",
        "llama, rope.scaling.yarn_ext_factor, 1.0",
        "llama, rope.scaling.yarn_attn_factor, 1.2",
        "llama, rope.dimension_sections, [8;4;4;0]",
        "llama, rope.dimension_count_swa, 16",
        "llama, unheard_of, 3",
        "qwen3, pooling_type, 3",
        "qwen3, deepstack_mapping, [1;2]"
    })
    void whatIsNotComputedIsRefusedByName(String architecture, String key, String value) throws Exception {
        Rejection refusal = Logits.refusal(written(model(architecture).put(key, value(value))));
        assertThat(refusal.code()).isEqualTo(Code.GGUF_UNSUPPORTED);
        assertThat(refusal.detail()).contains(architecture + "." + key);
    }

    @ParameterizedTest
    @CsvSource({
        "attention.clamp_kqv, 0.0",
        "attention.scale, 0.17677669",
        "attention.scale, 0.0",
        "attention.sliding_window, 0",
        "attention.sliding_window, 4096",
        "attention.causal, true",
        "attention.layer_norm_epsilon, 0.00001",
        "attention.key_length_swa, 32",
        "final_logit_softcapping, 0.0",
        "logit_scale, 1.0",
        "expert_count, 0",
        "expert_group_scale, 0.05",
        "use_parallel_residual, false",
        "pooling_type, 0",
        "vocab_size, 300",
        "tensor_data_layout, Meta AI original pth",
        "rope.freq_base_swa, 5000.0",
        "rope.scaling.type, none",
        "rope.scaling.factor, 0.0",
        "rope.scaling.finetuned, true",
        "rope.scaling.original_context_length, 64",
        "rope.scaling.yarn_ext_factor, -1.0",
        "rope.scaling.yarn_beta_fast, 16.0",
        "rope.scaling.attn_factor, 1.0",
        "rope.dimension_sections, [0;0;0;0]",
        "rope.dimension_count, 32",
        "deepstack_mapping, [0;0]"
    })
    void whatChangesNothingIsLetThrough(String key, String value) throws Exception {
        double[][] expected = new PlainNetworks(written(model("llama"))).decoder(TOKENS);
        Logits.expect(expected, written(model("llama").put(key, value(value))), TOKENS);
    }

    @Test
    void everyKindOfScalingIsComputed() throws Exception {
        RandomModel[] models = {
            model("llama").put("rope.scaling.factor", 4f),
            model("llama").put("rope.scaling.factor", 4f).put("rope.scaling.attn_factor", 1.2f),
            model("llama").put("rope.scaling.attn_factor", 0.8f),
            model("llama")
                    .put("rope.scaling.type", "yarn")
                    .put("rope.scaling.factor", 4f)
                    .put("rope.scaling.original_context_length", 32),
            model("qwen2").put("rope.scaling.type", "yarn").put("rope.scaling.factor", 0.5f),
            model("qwen2")
                    .put("rope.scaling.type", "yarn")
                    .put("rope.scaling.factor", 2f)
                    .put("rope.scaling.attn_factor", 0.9f)
                    .put("rope.scaling.yarn_ext_factor", 1f),
            model("gemma3")
                    .put("rope.scaling.factor", 8f)
                    .put("rope.scaling.attn_factor", 1.1f)
                    .put("attention.sliding_window", 7)
        };
        for (RandomModel model : models) {
            Path file = written(model);
            Logits.expect(new PlainNetworks(file).decoder(TOKENS), file, TOKENS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"[1;0]", "[0;1]", "[1;1]", "[0;0]"})
    void eachLayerMaySayWhetherItSeesAWindow(String pattern) throws Exception {
        Path file = written(model("gemma3")
                .put("attention.sliding_window", 7)
                .put("attention.sliding_window_pattern", value(pattern)));
        Logits.expect(new PlainNetworks(file).decoder(TOKENS), file, TOKENS);
    }

    @Test
    void aWindowOfNothingIsNone() throws Exception {
        double[][] expected = new PlainNetworks(written(model("gemma3"))).decoder(TOKENS);
        Logits.expect(expected, written(model("gemma3").put("attention.sliding_window", 0)), TOKENS);
    }

    @Test
    void sizesThatAreAlikeInAllLayersMayBeLists() throws Exception {
        double[][] expected = new PlainNetworks(written(model("llama"))).decoder(TOKENS);
        Logits.expect(
                expected,
                written(model("llama")
                        .put("attention.head_count", list("4", "4"))
                        .put("attention.head_count_kv", list("2", "2"))
                        .put("feed_forward_length", list("160", "160"))),
                TOKENS);
        // Converters write them as unsigned and as 64-bit numbers, too.
        byte[] longs = {2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0};
        GgufValue wide = new GgufValue.Numbers(GgufType.UINT64, 2, MemorySegment.ofArray(longs));
        Logits.expect(expected, written(model("llama").put("attention.head_count_kv", wide)), TOKENS);
    }

    @ParameterizedTest
    @CsvSource({
        "attention.head_count, [4;2], GGUF_UNSUPPORTED, differs between layers",
        "attention.head_count_kv, [2;1], GGUF_UNSUPPORTED, differs between layers",
        "attention.head_count_kv, [2;0], GGUF_UNSUPPORTED, differs between layers",
        "feed_forward_length, [160;96], GGUF_UNSUPPORTED, differs between layers",
        "rope.dimension_count, [32;16], GGUF_UNSUPPORTED, differs between layers",
        "attention.head_count_kv, [2], GGUF_FORMAT, a list of 1 for 2 layers",
        "attention.head_count_kv, [2;2;2], GGUF_FORMAT, a list of 3 for 2 layers",
        "attention.head_count_kv, [0;0], GGUF_LIMIT, allowed",
        "feed_forward_length, [-1;-1], GGUF_LIMIT, allowed",
        "block_count, [2;2], GGUF_FORMAT, whole number",
        "context_length, [128;128], GGUF_FORMAT, whole number"
    })
    void otherListsAreRefusedByName(String key, String value, Code code, String detail) throws Exception {
        Rejection refusal = Logits.refusal(written(model("llama").put(key, value(value))));
        assertThat(refusal.code()).isEqualTo(code);
        assertThat(refusal.detail()).contains("llama." + key, detail);
    }

    @Test
    void listsOfFractionsAreNoSizes() throws Exception {
        GgufValue fractions = GgufValue.Numbers.ofFloats(2, 2);
        assertThat(Logits.refusal(written(model("llama").put("attention.head_count_kv", fractions)))
                        .toString())
                .contains("GGUF-FORMAT", "attention.head_count_kv");
    }

    @Test
    void oneOfSeveralFilesIsRefused() throws Exception {
        GgufValue three = new GgufValue.Whole(GgufType.UINT16, 3);
        assertThat(Logits.refusal(written(model("llama").metadata("split.count", three)))
                        .toString())
                .contains("GGUF-UNSUPPORTED", "split.count", "join");
        GgufValue one = new GgufValue.Whole(GgufType.UINT16, 1);
        Path whole = written(model("llama").metadata("split.count", one));
        Logits.expect(new PlainNetworks(whole).decoder(TOKENS), whole, TOKENS);
    }

    @Test
    void blocksOfAnotherVersionAreRefused() throws Exception {
        GgufValue first = new GgufValue.Whole(GgufType.UINT32, 1);
        RandomModel blocks = new RandomModel("llama", SHAPE, GgmlType.Q8_0, 9);
        assertThat(Logits.refusal(written(blocks.metadata("general.quantization_version", first)))
                        .toString())
                .contains("GGUF-UNSUPPORTED", "general.quantization_version");
        // It says nothing of plain numbers.
        Path plain = written(model("llama").metadata("general.quantization_version", first));
        Logits.expect(new PlainNetworks(plain).decoder(TOKENS), plain, TOKENS);
    }

    @ParameterizedTest
    @CsvSource({"attention.causal, true", "pooling_type, 0", "pooling_type, 4", "attention.max_alibi_bias, 8.0"})
    void soItIsInAnEncoder(String key, String value) throws Exception {
        Path file = folder.resolve("m.gguf");
        RandomModel model = new RandomModel("bert", new ModelShape(128, 2, 96, 4, 4, 24, 160, 300), GgmlType.F32, 8);
        model.put(key, value(value)).writeEncoder(file, key.equals("attention.causal"));
        Rejection refusal = Logits.refusal(file);
        assertThat(refusal.code()).isEqualTo(Code.GGUF_UNSUPPORTED);
        assertThat(refusal.detail()).contains("bert." + key);
    }
}
