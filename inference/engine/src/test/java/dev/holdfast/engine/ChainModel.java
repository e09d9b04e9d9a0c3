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

/**
 * Writes models whose greedy answers are known: behind each token comes the one that the caller says. The words are those of {@link
 * TinyModel}, and each small letter behind a space ({@code ▁a}).
 *
 * <p>The layers do next to nothing, and the output's row of a token is the sum of the vectors of those that it follows.
 */
public final class ChainModel {
    private static final int WIDTH = 64;
    private static final int FEED_FORWARD = 96;
    private static final char SPACE = '\u2581';

    private final List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>"));
    private final int[] follower;
    private final GgufWriter writer = new GgufWriter();

    public ChainModel() {
        for (int b = 0; b < 256; b++) {
            tokens.add(byteToken(b));
        }
        tokens.add(String.valueOf(SPACE));
        for (char c = '!'; c <= '~'; c++) {
            tokens.add(String.valueOf(c));
        }
        for (char c = 'a'; c <= 'z'; c++) {
            tokens.add(SPACE + String.valueOf(c));
        }
        follower = new int[tokens.size()];
        Arrays.fill(follower, -1);
    }

    /** The name of the token that is one byte. */
    public static String byteToken(int value) {
        return "<0x%02X>".formatted(value);
    }

    /** Each of the tokens is followed by the next one. */
    public ChainModel chain(String... texts) {
        for (int i = 1; i < texts.length; i++) {
            follower[id(texts[i - 1])] = id(texts[i]);
        }
        return this;
    }

    public int id(String text) {
        return tokens.indexOf(text);
    }

    /** Adds or replaces a flag of the tokenizer. */
    public ChainModel tokenizer(String key, boolean value) {
        writer.put("tokenizer.ggml." + key, value);
        return this;
    }

    public void write(Path path) throws IOException {
        int size = tokens.size();
        int[] kinds = new int[size];
        for (int i = 0; i < size; i++) {
            kinds[i] = i == 0 ? 2 : i < 5 ? 3 : i < 5 + 256 ? 6 : 1;
        }
        writer.put("general.architecture", "llama")
                .put("llama.context_length", TinyModel.CONTEXT)
                .put("llama.embedding_length", WIDTH)
                .put("llama.block_count", 1)
                .put("llama.feed_forward_length", FEED_FORWARD)
                .put("llama.attention.head_count", 4)
                .put("llama.attention.head_count_kv", 2)
                .put("llama.attention.layer_norm_rms_epsilon", 1e-5f)
                .put("tokenizer.ggml.model", "llama")
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(tokens))
                .put("tokenizer.ggml.scores", GgufValue.Numbers.ofFloats(new float[size]))
                .put("tokenizer.ggml.token_type", GgufValue.Numbers.ofInts(kinds))
                .put("tokenizer.ggml.bos_token_id", 1)
                .put("tokenizer.ggml.eos_token_id", 2)
                .put("tokenizer.ggml.unknown_token_id", 0);
        Random random = new Random(5);
        float[] embedding = random(random, WIDTH * size, 1);
        float[] output = random(random, WIDTH * size, 0.01f);
        for (int token = 0; token < size; token++) {
            for (int i = 0; i < WIDTH && follower[token] >= 0; i++) {
                output[follower[token] * WIDTH + i] += embedding[token * WIDTH + i];
            }
        }
        writer.tensor("token_embd.weight", GgmlType.F32, RowSource.of(embedding), WIDTH, size);
        writer.tensor("output.weight", GgmlType.F32, RowSource.of(output), WIDTH, size);
        ones("output_norm");
        ones("blk.0.attn_norm");
        ones("blk.0.ffn_norm");
        matrix(random, "attn_q", WIDTH, WIDTH);
        matrix(random, "attn_k", WIDTH, WIDTH / 2);
        matrix(random, "attn_v", WIDTH, WIDTH / 2);
        matrix(random, "attn_output", WIDTH, WIDTH);
        matrix(random, "ffn_gate", WIDTH, FEED_FORWARD);
        matrix(random, "ffn_up", WIDTH, FEED_FORWARD);
        matrix(random, "ffn_down", FEED_FORWARD, WIDTH);
        writer.write(path);
    }

    private void ones(String name) {
        writer.tensor(name + ".weight", GgmlType.F32, (row, into) -> Arrays.fill(into, 1), WIDTH);
    }

    private void matrix(Random random, String name, int columns, int rows) {
        RowSource values = RowSource.of(random(random, columns * rows, 1e-3f));
        writer.tensor("blk.0." + name + ".weight", GgmlType.F32, values, columns, rows);
    }

    private static float[] random(Random random, int length, float spread) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = (float) random.nextGaussian() * spread;
        }
        return values;
    }
}
