package dev.holdfast.engine;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Writes small random llama models with a vocabulary of bytes, characters and a few words. */
public final class TinyModel {
    private static final int WIDTH = 64;
    private static final int HEADS = 4;
    private static final int KEY_WIDTH = 32;
    private static final int FEED_FORWARD = 96;
    private static final int LAYERS = 2;
    public static final int CONTEXT = 256;
    private static final List<String> CONTROL = List.of("<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>");

    /** What is wrong with a model. */
    public enum Flaw {
        NONE,
        NAN,
        INFINITE_SCALE,
        ZERO
    }

    private TinyModel() {}

    public static void write(Path path, long seed, Flaw flaw) throws IOException {
        write(path, seed, flaw, CONTROL, "");
    }

    /** The same with the markers of ChatML and a template in Jinja, as published models have it. */
    public static void writeChatml(Path path, long seed) throws IOException {
        List<String> control = new ArrayList<>(CONTROL);
        control.addAll(List.of("<|im_start|>", "<|im_end|>"));
        write(
                path,
                seed,
                Flaw.NONE,
                control,
                "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}");
    }

    private static void write(Path path, long seed, Flaw flaw, List<String> control, String jinja) throws IOException {
        Random random = new Random(seed);
        List<String> tokens = new ArrayList<>(control);
        for (int b = 0; b < 256; b++) {
            tokens.add("<0x%02X>".formatted(b));
        }
        tokens.add("\u2581");
        for (char c = '!'; c <= '~'; c++) {
            tokens.add(String.valueOf(c));
        }
        int plain = tokens.size();
        tokens.addAll(List.of("th", "the", "in", "on", "light", "li", "gh", "ght", "\u2581the"));
        int size = tokens.size();
        float[] scores = new float[size];
        int[] kinds = new int[size];
        for (int i = 0; i < size; i++) {
            scores[i] = i < plain ? 0 : plain - i - 1;
            kinds[i] = i == 0 ? 2 : i < control.size() ? 3 : i < control.size() + 256 ? 6 : 1;
        }
        GgufWriter writer = new GgufWriter()
                .put("general.architecture", "llama")
                .put("llama.context_length", CONTEXT)
                .put("llama.embedding_length", WIDTH)
                .put("llama.block_count", LAYERS)
                .put("llama.feed_forward_length", FEED_FORWARD)
                .put("llama.attention.head_count", HEADS)
                .put("llama.attention.head_count_kv", HEADS / 2)
                .put("llama.attention.layer_norm_rms_epsilon", 1e-5f)
                .put("tokenizer.ggml.model", "llama")
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(tokens))
                .put("tokenizer.ggml.scores", GgufValue.Numbers.ofFloats(scores))
                .put("tokenizer.ggml.token_type", GgufValue.Numbers.ofInts(kinds))
                .put("tokenizer.ggml.bos_token_id", 1)
                .put("tokenizer.ggml.eos_token_id", 2)
                .put("tokenizer.ggml.unknown_token_id", 0)
                .put("tokenizer.ggml.add_bos_token", false)
                .put("tokenizer.ggml.add_space_prefix", false);
        if (!jinja.isEmpty()) {
            writer.put("tokenizer.chat_template", jinja);
        }
        writer.tensor("token_embd.weight", GgmlType.Q8_0, random(random, WIDTH * size, 1), WIDTH, size);
        writer.tensor("output_norm.weight", GgmlType.F32, ones(), WIDTH);
        for (int layer = 0; layer < LAYERS; layer++) {
            String at = "blk." + layer + ".";
            writer.tensor(at + "attn_norm.weight", GgmlType.F32, ones(), WIDTH);
            matrix(writer, random, at + "attn_q", WIDTH, WIDTH);
            matrix(writer, random, at + "attn_k", WIDTH, KEY_WIDTH);
            matrix(writer, random, at + "attn_v", WIDTH, KEY_WIDTH);
            writer.tensor(
                    at + "attn_output.weight",
                    GgmlType.F32,
                    flawed(random, layer == 0 ? flaw : Flaw.NONE),
                    WIDTH,
                    WIDTH);
            writer.tensor(at + "ffn_norm.weight", GgmlType.F32, ones(), WIDTH);
            matrix(writer, random, at + "ffn_gate", WIDTH, FEED_FORWARD);
            matrix(writer, random, at + "ffn_up", WIDTH, FEED_FORWARD);
            if (layer == 0 && flaw == Flaw.INFINITE_SCALE) {
                writer.tensor(
                        at + "ffn_down.weight",
                        GgmlType.Q8_0,
                        (row, into) -> Arrays.fill(into, 3e38f),
                        FEED_FORWARD,
                        WIDTH);
            } else {
                matrix(writer, random, at + "ffn_down", FEED_FORWARD, WIDTH);
            }
        }
        writer.write(path);
    }

    private static void matrix(GgufWriter writer, Random random, String name, int columns, int rows) {
        writer.tensor(name + ".weight", GgmlType.Q8_0, random(random, columns * rows, 0.3f), columns, rows);
    }

    private static RowSource flawed(Random random, Flaw flaw) {
        float[] values = new float[WIDTH * WIDTH];
        for (int i = 0; i < values.length && flaw != Flaw.ZERO; i++) {
            values[i] = (float) random.nextGaussian() * 0.3f;
        }
        if (flaw == Flaw.NAN) {
            values[1000] = Float.NaN;
        }
        return RowSource.of(values);
    }

    private static RowSource random(Random random, int length, float spread) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = (float) random.nextGaussian() * spread;
        }
        return RowSource.of(values);
    }

    private static RowSource ones() {
        return (row, into) -> Arrays.fill(into, 1);
    }
}
