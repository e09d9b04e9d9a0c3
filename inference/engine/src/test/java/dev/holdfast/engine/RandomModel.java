package dev.holdfast.engine;

import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Writes models of random weights for tests of arithmetic. The same seed gives the same file. */
public final class RandomModel {
    private final GgufWriter writer = new GgufWriter();
    private final String architecture;
    private final ModelShape shape;
    private final GgmlType type;
    private final Random random;
    private boolean fused;

    public RandomModel(String architecture, ModelShape shape, GgmlType type, long seed) {
        this.architecture = architecture;
        this.shape = shape;
        this.type = type;
        this.random = new Random(seed);
        put("context_length", shape.contextTokens());
        put("block_count", shape.layers());
        put("embedding_length", shape.width());
        put("feed_forward_length", shape.feedForward());
        put("attention.head_count", shape.heads());
        put("attention.head_count_kv", shape.keyHeads());
        writer.put("general.architecture", architecture);
        vocabulary();
    }

    public RandomModel put(String key, int value) {
        writer.put(architecture + "." + key, value);
        return this;
    }

    public RandomModel put(String key, float value) {
        writer.put(architecture + "." + key, value);
        return this;
    }

    public RandomModel put(String key, String value) {
        writer.put(architecture + "." + key, value);
        return this;
    }

    public RandomModel put(String key, GgufValue value) {
        writer.put(architecture + "." + key, value);
        return this;
    }

    /** Writes query, key and value as one matrix, of the same numbers. */
    public RandomModel fused() {
        fused = true;
        return this;
    }

    /** A key by its whole name. */
    public RandomModel metadata(String key, GgufValue value) {
        writer.put(key, value);
        return this;
    }

    /** A tensor that the architecture does not ask for, of normally distributed numbers. */
    public RandomModel extra(String name, double mean, double spread, long... dims) {
        writer.tensor(name, GgmlType.F32, gaussian(mean, spread), dims);
        return this;
    }

    private void vocabulary() {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        int[] kinds = new int[shape.vocabulary()];
        for (int id = 0; id < kinds.length; id++) {
            kinds[id] = id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1;
            if (id >= 3) {
                tokens.add(id < 259 ? "<0x%02X>".formatted(id - 3) : "word" + id);
            }
        }
        writer.put("tokenizer.ggml.model", "llama")
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(tokens))
                .put("tokenizer.ggml.scores", GgufValue.Numbers.ofFloats(new float[kinds.length]))
                .put("tokenizer.ggml.token_type", GgufValue.Numbers.ofInts(kinds))
                .put("tokenizer.ggml.bos_token_id", 1)
                .put("tokenizer.ggml.eos_token_id", 2);
    }

    private void matrix(String name, int columns, int rows, double spread) {
        writer.tensor(name, type, gaussian(0, spread), columns, rows);
    }

    private void vector(String name, int length, double mean) {
        writer.tensor(name, GgmlType.F32, gaussian(mean, 0.2), length);
    }

    private RowSource gaussian(double mean, double spread) {
        long seed = random.nextLong();
        Random[] own = {new Random(seed)};
        return (index, into) -> {
            for (int i = 0; i < into.length; i++) {
                into[i] = (float) (mean + spread * own[0].nextGaussian());
            }
        };
    }

    /** A decoder with the tensors that its architecture must have; its output is its embedding, turned round. */
    public void writeDecoder(Path file) throws IOException {
        decoder().write(file);
    }

    /** Adds what {@link #writeDecoder} writes. */
    RandomModel decoder() {
        boolean gemma = architecture.equals("gemma3");
        boolean headNorms = gemma || architecture.equals("qwen3");
        put("attention.key_length", shape.headSize());
        put("attention.value_length", shape.headSize());
        put("attention.layer_norm_rms_epsilon", 1e-6f);
        matrix("token_embd.weight", shape.width(), shape.vocabulary(), 1);
        vector("output_norm.weight", shape.width(), 1);
        for (int layer = 0; layer < shape.layers(); layer++) {
            String at = "blk." + layer + ".";
            vector(at + "attn_norm.weight", shape.width(), 1);
            projections(at);
            if (headNorms) {
                vector(at + "attn_q_norm.weight", shape.headSize(), 1);
                vector(at + "attn_k_norm.weight", shape.headSize(), 1);
            }
            if (architecture.equals("qwen2") && !fused) {
                vector(at + "attn_q.bias", shape.queryWidth(), 0);
                vector(at + "attn_k.bias", shape.keyWidth(), 0);
                vector(at + "attn_v.bias", shape.keyWidth(), 0);
            }
            if (gemma) {
                vector(at + "post_attention_norm.weight", shape.width(), 1);
                vector(at + "post_ffw_norm.weight", shape.width(), 1);
            }
            matrix(at + "attn_output.weight", shape.queryWidth(), shape.width(), 0.1);
            vector(at + "ffn_norm.weight", shape.width(), 1);
            matrix(at + "ffn_gate.weight", shape.width(), shape.feedForward(), 0.2);
            matrix(at + "ffn_up.weight", shape.width(), shape.feedForward(), 0.2);
            matrix(at + "ffn_down.weight", shape.feedForward(), shape.width(), 0.1);
        }
        return this;
    }

    /** An encoder as bert has it. */
    public void writeEncoder(Path file) throws IOException {
        writeEncoder(file, false);
    }

    /** An encoder in which a token sees those before it only, if {@code causal}, which bert has not. */
    public void writeEncoder(Path file, boolean causal) throws IOException {
        encoder(causal).write(file);
    }

    /** Adds what {@link #writeEncoder} writes. */
    RandomModel encoder(boolean causal) {
        put("attention.layer_norm_epsilon", 1e-12f);
        writer.put("bert.attention.causal", causal).put("tokenizer.ggml.token_type_count", 2);
        matrix("token_embd.weight", shape.width(), shape.vocabulary(), 1);
        writer.tensor("position_embd.weight", GgmlType.F32, gaussian(0, 0.5), shape.width(), shape.contextTokens());
        writer.tensor("token_types.weight", GgmlType.F32, gaussian(0, 0.5), shape.width(), 2);
        norm("token_embd_norm");
        for (int layer = 0; layer < shape.layers(); layer++) {
            String at = "blk." + layer + ".";
            for (String name : new String[] {"attn_q", "attn_k", "attn_v", "attn_output"}) {
                linear(at + name, shape.width(), shape.width());
            }
            norm(at + "attn_output_norm");
            linear(at + "ffn_up", shape.width(), shape.feedForward());
            linear(at + "ffn_down", shape.feedForward(), shape.width());
            norm(at + "layer_output_norm");
        }
        return this;
    }

    private void projections(String at) {
        if (!fused) {
            matrix(at + "attn_q.weight", shape.width(), shape.queryWidth(), 0.2);
            matrix(at + "attn_k.weight", shape.width(), shape.keyWidth(), 0.2);
            matrix(at + "attn_v.weight", shape.width(), shape.keyWidth(), 0.2);
            return;
        }
        RowSource query = gaussian(0, 0.2);
        RowSource key = gaussian(0, 0.2);
        RowSource value = gaussian(0, 0.2);
        int keysFrom = shape.queryWidth();
        int valuesFrom = keysFrom + shape.keyWidth();
        RowSource all = (row, into) -> (row < keysFrom ? query : row < valuesFrom ? key : value).row(row, into);
        writer.tensor(at + "attn_qkv.weight", type, all, shape.width(), valuesFrom + shape.keyWidth());
    }

    void write(Path file) throws IOException {
        writer.write(file);
    }

    private void linear(String name, int columns, int rows) {
        matrix(name + ".weight", columns, rows, 0.2);
        vector(name + ".bias", rows, 0);
    }

    private void norm(String name) {
        vector(name + ".weight", shape.width(), 1);
        vector(name + ".bias", shape.width(), 0);
    }
}
