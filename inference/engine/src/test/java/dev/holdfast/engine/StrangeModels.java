package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufType;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.wire.Verdict;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * Small models whose files say strange things: values of any kind and lists of any length under keys that matter, and tensors that
 * are too many. What is strange is up to a stream of choices, each below the limit that it is asked with.
 */
public final class StrangeModels {
    private static final int LAYERS = 2;

    private static final String[] KEYS = {
        "context_length",
        "embedding_length",
        "embedding_length_out",
        "block_count",
        "feed_forward_length",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.value_length",
        "attention.layer_norm_rms_epsilon",
        "attention.layer_norm_epsilon",
        "attention.causal",
        "attention.scale",
        "attention.sliding_window",
        "attention.sliding_window_pattern",
        "attention.key_length_swa",
        "rope.dimension_count",
        "rope.dimension_count_swa",
        "rope.freq_base",
        "rope.freq_base_swa",
        "rope.scale_linear",
        "rope.scaling.type",
        "rope.scaling.factor",
        "rope.scaling.attn_factor",
        "rope.scaling.original_context_length",
        "rope.scaling.yarn_ext_factor",
        "rope.scaling.yarn_beta_fast",
        "rope.scaling.yarn_beta_slow",
        "expert_count",
        "final_logit_softcapping",
        "pooling_type",
        "unheard_of"
    };
    private static final String[] WHOLE_KEYS = {
        "general.architecture",
        "split.count",
        "tokenizer.ggml.model",
        "tokenizer.ggml.pre",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.scores",
        "tokenizer.ggml.token_type",
        "tokenizer.ggml.merges",
        "tokenizer.ggml.token_type_count",
        "tokenizer.ggml.bos_token_id",
        "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.unknown_token_id",
        "tokenizer.ggml.add_bos_token",
        "tokenizer.ggml.add_eos_token",
        "tokenizer.ggml.add_space_prefix",
        "tokenizer.ggml.suppress_tokens",
        "tokenizer.ggml.normalizer.lowercase"
    };
    private static final String[] TEXTS = {
        "",
        "yarn",
        "linear",
        "none",
        "longrope",
        "llama",
        "bert",
        "gpt2",
        "gemma3",
        "qwen2",
        "x".repeat(5000),
        "\u0000\ud800"
    };
    private static final long[] WHOLES = {
        0,
        1,
        2,
        3,
        4,
        6,
        8,
        16,
        24,
        32,
        255,
        512,
        -1,
        -2,
        1 << 20,
        Integer.MAX_VALUE,
        1L << 32,
        Long.MAX_VALUE,
        Long.MIN_VALUE
    };
    private static final double[] REALS = {
        0, 1, -1, 0.5, 2, 8, 1e-6, 1e6, 1e30, 1e300, 1e-300, Double.NaN, Double.POSITIVE_INFINITY, Double.MIN_VALUE
    };
    private static final String[] TENSORS = {
        "output.weight",
        "output.bias",
        "output.scale",
        "token_embd.scale",
        "rope_freqs.weight",
        "blk.0.attn_q.bias",
        "blk.1.attn_output.bias",
        "blk.1.ffn_down.scale",
        "blk.0.ffn_gate.bias",
        "blk.2.attn_norm.weight",
        "unheard.of"
    };

    private StrangeModels() {}

    /**
     * Makes a model in {@code folder}, and does everything with it that a file can be made to do; nothing may throw.
     *
     * @return whether it ran; else it was refused
     */
    public static boolean tryOne(IntUnaryOperator choice, Path folder) throws Exception {
        String[] architectures = {"llama", "qwen2", "qwen3", "gemma3", "bert"};
        String architecture = architectures[choice.applyAsInt(architectures.length)];
        boolean encoder = architecture.equals("bert");
        ModelShape shape = new ModelShape(48, LAYERS, 16, 2, encoder ? 2 : 1, 8, 24, 270);
        RandomModel model = new RandomModel(architecture, shape, GgmlType.F32, 3);
        model = encoder ? model.encoder(false) : model.decoder();
        int changes = 1 + choice.applyAsInt(2);
        for (int i = 0; i < changes; i++) {
            if (choice.applyAsInt(5) == 0) {
                int[] lengths = {1, 4, 16, 24, 270};
                String name = TENSORS[choice.applyAsInt(TENSORS.length)];
                model.extra(name + (i == 0 ? "" : "."), 1, 0.1, lengths[choice.applyAsInt(lengths.length)]);
            } else if (choice.applyAsInt(4) == 0) {
                model.metadata(WHOLE_KEYS[choice.applyAsInt(WHOLE_KEYS.length)], value(choice));
            } else {
                model.put(KEYS[choice.applyAsInt(KEYS.length)], value(choice));
            }
        }
        Path file = folder.resolve("m.gguf");
        model.write(file);
        assertThat(ModelInspection.of(file)).isNotNull();
        assertThat(MemoryNeeds.of(file, 1 << 20, 4, CacheType.F16)).isNotNull();
        assertThat(ModelRunner.tokenize(file, "the light </s>")).isNotNull();
        return switch (ModelRunner.open(file, 32, 1)) {
            case Verdict.Rejected<ModelRunner> rejected -> {
                assertThat(rejected.reason().detail()).isNotBlank();
                yield false;
            }
            case Verdict.Accepted<ModelRunner>(ModelRunner runner) -> {
                try (runner) {
                    assertThat(runner.generate(new int[] {1, 5, 9}, 3, Sampling.GREEDY))
                            .isNotNull();
                    assertThat(runner.embed("the light")).isNotNull();
                    assertThat(runner.prompt("the light")).isNotNull();
                }
                yield true;
            }
        };
    }

    private static GgufValue value(IntUnaryOperator choice) {
        long whole = WHOLES[choice.applyAsInt(WHOLES.length)];
        double real = REALS[choice.applyAsInt(REALS.length)];
        GgufType[] types = {GgufType.UINT8, GgufType.INT16, GgufType.UINT32, GgufType.INT32, GgufType.INT64};
        return switch (choice.applyAsInt(8)) {
            case 0, 1 -> new GgufValue.Whole(types[choice.applyAsInt(types.length)], whole);
            case 2, 3 -> new GgufValue.Real(choice.applyAsInt(2) == 0 ? GgufType.FLOAT32 : GgufType.FLOAT64, real);
            case 4 -> new GgufValue.Flag(choice.applyAsInt(2) == 0);
            case 5 -> new GgufValue.Text(TEXTS[choice.applyAsInt(TEXTS.length)]);
            case 6 -> numbers(choice);
            default -> {
                List<String> texts = new ArrayList<>();
                for (int i = choice.applyAsInt(4); i > 0; i--) {
                    texts.add(TEXTS[choice.applyAsInt(TEXTS.length)]);
                }
                yield GgufValue.Texts.of(texts);
            }
        };
    }

    /** A list, as long as there are layers mostly, of equal or different numbers. */
    private static GgufValue numbers(IntUnaryOperator choice) {
        int size = choice.applyAsInt(3) > 0 ? LAYERS : choice.applyAsInt(5);
        int first = (int) WHOLES[choice.applyAsInt(12)];
        int second = choice.applyAsInt(2) == 0 ? first : (int) WHOLES[choice.applyAsInt(12)];
        if (choice.applyAsInt(4) == 0) {
            byte[] bytes = new byte[8 * size];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (i % 8 == 0 ? first : choice.applyAsInt(20) == 0 ? 0xff : 0);
            }
            return new GgufValue.Numbers(
                    choice.applyAsInt(2) == 0 ? GgufType.UINT64 : GgufType.FLOAT64, size, MemorySegment.ofArray(bytes));
        }
        int[] values = new int[size];
        for (int i = 0; i < size; i++) {
            values[i] = i == 0 ? first : second;
        }
        return GgufValue.Numbers.ofInts(values);
    }
}
