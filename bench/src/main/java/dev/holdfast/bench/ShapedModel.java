package dev.holdfast.bench;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Models of random weights in the true shapes of published ones: as fast as those, and nonsense to read. The embedding is
 * tied to the output. Files are streamed, and the same for the same arguments.
 */
enum ShapedModel {
    SMOLLM2_135M("llama", 576, 1536, 30, 9, 3, 64, 49_152, 100_000f, 1e-5f),
    QWEN2_5_0_5B("qwen2", 896, 4_864, 24, 14, 2, 64, 151_936, 1_000_000f, 1e-6f),
    LLAMA_3_2_1B("llama", 2_048, 8_192, 16, 32, 8, 64, 128_256, 500_000f, 1e-5f);

    private static final int CONTEXT_TOKENS = 8_192;

    private final String architecture;
    private final int width;
    private final int feedForward;
    private final int layers;
    private final int heads;
    private final int keyHeads;
    private final int headSize;
    private final int vocabulary;
    private final float rotaryBase;
    private final float epsilon;

    ShapedModel(
            String architecture,
            int width,
            int feedForward,
            int layers,
            int heads,
            int keyHeads,
            int headSize,
            int vocabulary,
            float rotaryBase,
            float epsilon) {
        this.architecture = architecture;
        this.width = width;
        this.feedForward = feedForward;
        this.layers = layers;
        this.heads = heads;
        this.keyHeads = keyHeads;
        this.headSize = headSize;
        this.vocabulary = vocabulary;
        this.rotaryBase = rotaryBase;
        this.epsilon = epsilon;
    }

    String architecture() {
        return architecture;
    }

    /** How large it is called, such as 135m. */
    String size() {
        return switch (this) {
            case SMOLLM2_135M -> "135m";
            case QWEN2_5_0_5B -> "0.5b";
            case LLAMA_3_2_1B -> "1b";
        };
    }

    /**
     * Writes the model with its layers' matrices as {@code type} and its embedding as Q8_0, which is what common quantizers
     * make of rows that are no multiple of 256.
     */
    void write(GgmlType type, Path file) throws IOException {
        write(type, file, 0);
    }

    /**
     * The same as after a training that moved each weight of the layers' matrices on its own, by a normally distributed distance.
     *
     * @param drift the standard deviation of that distance; the weights are between -0.06 and 0.06
     */
    void write(GgmlType type, Path file, double drift) throws IOException {
        GgufWriter writer = new GgufWriter().put("general.architecture", architecture);
        writer.put("general.name", name().toLowerCase(java.util.Locale.ROOT));
        number(writer, "context_length", CONTEXT_TOKENS);
        number(writer, "block_count", layers);
        number(writer, "embedding_length", width);
        number(writer, "feed_forward_length", feedForward);
        number(writer, "attention.head_count", heads);
        number(writer, "attention.head_count_kv", keyHeads);
        number(writer, "rope.dimension_count", headSize);
        writer.put(architecture + ".rope.freq_base", rotaryBase);
        writer.put(architecture + ".attention.layer_norm_rms_epsilon", epsilon);
        words(writer);
        SplittableRandom random = new SplittableRandom(1);
        SplittableRandom steps = new SplittableRandom(2);
        matrix(writer, random, "token_embd", GgmlType.Q8_0, width, vocabulary);
        vector(writer, random, "output_norm.weight", width, 1);
        for (int layer = 0; layer < layers; layer++) {
            String at = "blk." + layer + ".";
            int queryWidth = heads * headSize;
            int keyWidth = keyHeads * headSize;
            vector(writer, random, at + "attn_norm.weight", width, 1);
            layer(writer, random, steps, drift, at + "attn_q", type, width, queryWidth);
            layer(writer, random, steps, drift, at + "attn_k", type, width, keyWidth);
            layer(writer, random, steps, drift, at + "attn_v", type, width, keyWidth);
            if (architecture.equals("qwen2")) {
                vector(writer, random, at + "attn_q.bias", queryWidth, 0);
                vector(writer, random, at + "attn_k.bias", keyWidth, 0);
                vector(writer, random, at + "attn_v.bias", keyWidth, 0);
            }
            layer(writer, random, steps, drift, at + "attn_output", type, queryWidth, width);
            vector(writer, random, at + "ffn_norm.weight", width, 1);
            layer(writer, random, steps, drift, at + "ffn_gate", type, width, feedForward);
            layer(writer, random, steps, drift, at + "ffn_up", type, width, feedForward);
            layer(writer, random, steps, drift, at + "ffn_down", type, feedForward, width);
        }
        writer.write(file);
    }

    private void number(GgufWriter writer, String key, int value) {
        writer.put(architecture + "." + key, value);
    }

    /** A vocabulary of bytes and numbered words: every tokenizer of this kind opens it. */
    private void words(GgufWriter writer) {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        int[] kinds = new int[vocabulary];
        for (int id = 0; id < kinds.length; id++) {
            kinds[id] = id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1;
            if (id >= 3) {
                tokens.add(id < 259 ? "<0x%02X>".formatted(id - 3) : "word" + id);
            }
        }
        writer.put("tokenizer.ggml.model", "llama")
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(tokens))
                .put("tokenizer.ggml.scores", GgufValue.Numbers.ofFloats(new float[vocabulary]))
                .put("tokenizer.ggml.token_type", GgufValue.Numbers.ofInts(kinds))
                .put("tokenizer.ggml.bos_token_id", 1)
                .put("tokenizer.ggml.eos_token_id", 2);
    }

    private static void matrix(
            GgufWriter writer, SplittableRandom random, String name, GgmlType type, int columns, int rows) {
        writer.tensor(name + ".weight", type, uniform(random.split(), 0, 0.06f), columns, rows);
    }

    private static void layer(
            GgufWriter writer,
            SplittableRandom random,
            SplittableRandom steps,
            double drift,
            String name,
            GgmlType type,
            int columns,
            int rows) {
        RowSource from = uniform(random.split(), 0, 0.06f);
        SplittableRandom walk = steps.split();
        RowSource moved = (index, into) -> {
            from.row(index, into);
            for (int i = 0; i < into.length; i++) {
                into[i] += (float) (drift * walk.nextGaussian());
            }
        };
        writer.tensor(name + ".weight", type, drift == 0 ? from : moved, columns, rows);
    }

    private static void vector(GgufWriter writer, SplittableRandom random, String name, int length, float mean) {
        writer.tensor(name, GgmlType.F32, uniform(random.split(), mean, 0.2f), length);
    }

    private static RowSource uniform(SplittableRandom random, float mean, float reach) {
        return (index, into) -> {
            for (int i = 0; i < into.length; i++) {
                into[i] = mean + reach * (2 * (random.nextInt() >>> 8) / (float) (1 << 24) - 1);
            }
        };
    }
}
