package dev.holdfast.engine.architectures;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufReader;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.gguf.RowDecoder;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Decoders and BERT in plain 64-bit loops, token by token as the papers write them down: the reference where no other engine's
 * numbers are at hand. Shares nothing with the engine but the reading of the file.
 */
final class PlainNetworks {
    private final GgufFile file;
    private final MemorySegment bytes;
    private final Map<String, double[][]> read = new HashMap<>();
    private final Map<Boolean, double[]> turning = new HashMap<>();
    private final String prefix;
    private final int width;
    private final int heads;
    private final int keyHeads;
    private final int headSize;

    PlainNetworks(Path path) throws Exception {
        bytes = MemorySegment.ofArray(readAll(path));
        file = GgufReader.read(bytes).orThrow();
        prefix = file.text("general.architecture", null).orThrow() + ".";
        width = whole("embedding_length");
        heads = once("attention.head_count");
        keyHeads = once("attention.head_count_kv");
        headSize = file.metadata().containsKey(prefix + "attention.key_length")
                ? whole("attention.key_length")
                : width / heads;
    }

    private static byte[] readAll(Path path) throws IOException {
        return Files.readAllBytes(path);
    }

    private int whole(String key) throws Exception {
        return (int) (long) file.whole(prefix + key, 0, 1 << 20, null).orThrow();
    }

    /** A number, or the first one of a list. */
    private int once(String key) throws Exception {
        return file.metadata().get(prefix + key) instanceof GgufValue.Numbers list ? (int) list.whole(0) : whole(key);
    }

    private double[][] matrix(String name) {
        return read.computeIfAbsent(name, this::readMatrix);
    }

    private double[][] readMatrix(String name) {
        GgufTensor tensor = file.tensor(name).orElseThrow();
        int columns = (int) tensor.columns();
        float[] row = new float[columns];
        double[][] out = new double[(int) tensor.rows()][columns];
        for (int r = 0; r < out.length; r++) {
            RowDecoder.of(tensor.type())
                    .orElseThrow()
                    .decode(bytes, tensor.offset() + r * tensor.rowBytes(), row, 0, columns);
            for (int c = 0; c < columns; c++) {
                out[r][c] = row[c];
            }
        }
        return out;
    }

    private double[] vector(String name) {
        return matrix(name)[0];
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private static double[] times(double[][] matrix, double[] x) {
        double[] out = new double[matrix.length];
        for (int r = 0; r < out.length; r++) {
            out[r] = dot(matrix[r], x);
        }
        return out;
    }

    private static double[] plus(double[] a, double[] b) {
        double[] out = new double[a.length];
        for (int i = 0; i < a.length; i++) {
            out[i] = a[i] + b[i];
        }
        return out;
    }

    /** y = x / sqrt(mean(x^2) + epsilon) * gain. */
    private static double[] rms(double[] x, double[] gain, double epsilon) {
        double[] out = new double[x.length];
        double factor = 1 / Math.sqrt(dot(x, x) / x.length + epsilon);
        for (int i = 0; i < x.length; i++) {
            out[i] = x[i] * factor * gain[i];
        }
        return out;
    }

    private double[] layerNorm(double[] x, String name, double epsilon) {
        double mean = 0;
        for (double value : x) {
            mean += value / x.length;
        }
        double[] off = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            off[i] = x[i] - mean;
        }
        return plus(rms(off, vector(name + ".weight"), epsilon), vector(name + ".bias"));
    }

    private double[] linear(String name, double[] x) {
        return projected(name, x);
    }

    private static double[] head(double[] x, int head, int size) {
        return Arrays.copyOfRange(x, head * size, (head + 1) * size);
    }

    /** Token {@code p} of {@code queries} looks at the keys {@code from} to {@code seen}. */
    private double[] attention(double[][] queries, double[][] keys, double[][] values, int p, int from, int seen) {
        double[] out = new double[heads * headSize];
        for (int h = 0; h < heads; h++) {
            int kv = h * keyHeads / heads;
            double[] weights = new double[seen];
            double sum = 0;
            for (int j = from; j < seen; j++) {
                weights[j] =
                        Math.exp(dot(head(queries[p], h, headSize), head(keys[j], kv, headSize)) / Math.sqrt(headSize));
                sum += weights[j];
            }
            for (int j = from; j < seen; j++) {
                for (int d = 0; d < headSize; d++) {
                    out[h * headSize + d] += weights[j] / sum * values[j][kv * headSize + d];
                }
            }
        }
        return out;
    }

    private boolean has(String name) {
        return file.tensor(name).isPresent();
    }

    private double number(String key, double absent) throws Exception {
        return file.metadata().containsKey(prefix + key)
                ? file.real(prefix + key, null).orThrow()
                : absent;
    }

    /** {@code scale * W x + bias}, with what the file has of it. */
    private double[] projected(String name, double[] x) {
        if (!has(name + ".weight")) {
            // One matrix holds query, key and value, in this order.
            double[] all = projected(name.replaceAll("attn_[qkv]$", "attn_qkv"), x);
            int query = heads * headSize;
            int key = keyHeads * headSize;
            return switch (name.charAt(name.length() - 1)) {
                case 'q' -> Arrays.copyOfRange(all, 0, query);
                case 'k' -> Arrays.copyOfRange(all, query, query + key);
                default -> Arrays.copyOfRange(all, query + key, all.length);
            };
        }
        double[] out = times(matrix(name + ".weight"), x);
        if (has(name + ".scale")) {
            double scale = vector(name + ".scale")[0];
            out = Arrays.stream(out).map(value -> value * scale).toArray();
        }
        return has(name + ".bias") ? plus(out, vector(name + ".bias")) : out;
    }

    /** What pair {@code i} of a head turns by from one position to the next, and how long a turned pair is. */
    private double[] frequencies(boolean windowed) {
        try {
            return computedFrequencies(windowed);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private double[] computedFrequencies(boolean windowed) throws Exception {
        double base = windowed ? number("rope.freq_base_swa", 10_000) : number("rope.freq_base", 10_000);
        double factor = windowed ? 1 : number("rope.scaling.factor", 1);
        boolean yarn =
                file.text(prefix + "rope.scaling.type", "linear").orThrow().equals("yarn");
        double trained = file.metadata().containsKey(prefix + "rope.scaling.original_context_length")
                ? whole("rope.scaling.original_context_length")
                : whole("context_length");
        double[] out = new double[headSize / 2];
        for (int i = 0; i < out.length; i++) {
            double frequency = Math.pow(base, -2.0 * i / headSize);
            // YaRN's ramp: 1 for pairs that turn less than once over the trained context, 0 beyond 32 turns.
            double low = Math.max(0, Math.floor(pair(32, trained, base)));
            double high = Math.min(headSize - 1, Math.ceil(pair(1, trained, base)));
            double ramp = yarn ? Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low))) : 1;
            out[i] = ramp * frequency / factor + (1 - ramp) * frequency;
            if (has("rope_freqs.weight")) {
                out[i] /= vector("rope_freqs.weight")[i];
            }
        }
        return out;
    }

    private double pair(double turns, double trained, double base) {
        return headSize * Math.log(trained / (turns * 2 * Math.PI)) / (2 * Math.log(base));
    }

    private double magnitude(boolean windowed) throws Exception {
        double factor = number("rope.scaling.factor", 1);
        boolean yarn =
                file.text(prefix + "rope.scaling.type", "linear").orThrow().equals("yarn");
        return number("rope.scaling.attn_factor", 1)
                * (yarn && !windowed && factor > 1 ? 0.1 * Math.log(factor) + 1 : 1);
    }

    /** Norms each head where there is a gain, then turns its pairs: neighbours in llama, half a head apart in the others. */
    private double[] normedAndTurned(double[] x, String gain, double epsilon, boolean windowed, int p)
            throws Exception {
        double[] out = new double[x.length];
        double[] frequencies = turning.computeIfAbsent(windowed, this::frequencies);
        double magnitude = magnitude(windowed);
        boolean neighbours = prefix.equals("llama.");
        for (int h = 0; h < x.length / headSize; h++) {
            double[] one = head(x, h, headSize);
            if (has(gain)) {
                one = rms(one, vector(gain), epsilon);
            }
            for (int i = 0; i < headSize / 2; i++) {
                int first = neighbours ? 2 * i : i;
                int second = neighbours ? 2 * i + 1 : i + headSize / 2;
                double cosine = Math.cos(p * frequencies[i]) * magnitude;
                double sine = Math.sin(p * frequencies[i]) * magnitude;
                out[h * headSize + first] = one[first] * cosine - one[second] * sine;
                out[h * headSize + second] = one[first] * sine + one[second] * cosine;
            }
        }
        return out;
    }

    private static double gelu(double x) {
        return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * Math.pow(x, 3))));
    }

    private boolean windowed(int layer) throws Exception {
        if (!prefix.equals("gemma3.") || !file.metadata().containsKey(prefix + "attention.sliding_window")) {
            return false;
        }
        return file.metadata().get(prefix + "attention.sliding_window_pattern") instanceof GgufValue.Numbers each
                ? each.whole(layer) != 0
                : layer % 6 < 5;
    }

    /** The logits after every token of a decoder. */
    double[][] decoder(int[] tokens) throws Exception {
        boolean gemma = prefix.equals("gemma3.");
        double epsilon =
                file.real(prefix + "attention.layer_norm_rms_epsilon", null).orThrow();
        double[][] embedding = matrix("token_embd.weight");
        double[][] x = new double[tokens.length][];
        for (int p = 0; p < tokens.length; p++) {
            double scale = gemma ? Math.sqrt(width) : 1;
            x[p] = Arrays.stream(embedding[tokens[p]])
                    .map(value -> value * scale)
                    .toArray();
        }
        for (int layer = 0; layer < whole("block_count"); layer++) {
            String at = "blk." + layer + ".";
            boolean windowed = windowed(layer);
            double[][] queries = new double[tokens.length][];
            double[][] keys = new double[tokens.length][];
            double[][] values = new double[tokens.length][];
            for (int p = 0; p < tokens.length; p++) {
                double[] normed = rms(x[p], vector(at + "attn_norm.weight"), epsilon);
                double[] query = projected(at + "attn_q", normed);
                double[] key = projected(at + "attn_k", normed);
                queries[p] = normedAndTurned(query, at + "attn_q_norm.weight", epsilon, windowed, p);
                keys[p] = normedAndTurned(key, at + "attn_k_norm.weight", epsilon, windowed, p);
                values[p] = projected(at + "attn_v", normed);
            }
            for (int p = 0; p < tokens.length; p++) {
                int from = windowed ? Math.max(0, p + 1 - whole("attention.sliding_window")) : 0;
                double[] mixed = projected(at + "attn_output", attention(queries, keys, values, p, from, p + 1));
                x[p] = plus(x[p], gemma ? rms(mixed, vector(at + "post_attention_norm.weight"), epsilon) : mixed);
                double[] normed = rms(x[p], vector(at + "ffn_norm.weight"), epsilon);
                double[] gate = projected(at + "ffn_gate", normed);
                double[] up = projected(at + "ffn_up", normed);
                for (int i = 0; i < gate.length; i++) {
                    gate[i] = (gemma ? gelu(gate[i]) : gate[i] / (1 + Math.exp(-gate[i]))) * up[i];
                }
                double[] down = projected(at + "ffn_down", gate);
                x[p] = plus(x[p], gemma ? rms(down, vector(at + "post_ffw_norm.weight"), epsilon) : down);
            }
        }
        double[][] logits = new double[tokens.length][];
        for (int p = 0; p < tokens.length; p++) {
            double[] normed = rms(x[p], vector("output_norm.weight"), epsilon);
            logits[p] = has("output.weight") ? projected("output", normed) : times(embedding, normed);
            if (!has("output.weight") && has("output.bias")) {
                logits[p] = plus(logits[p], vector("output.bias"));
            }
        }
        return logits;
    }

    /** The vector of every token after the last layer. */
    double[][] bert(int[] tokens) throws Exception {
        double epsilon =
                file.real(prefix + "attention.layer_norm_epsilon", null).orThrow();
        double[][] x = new double[tokens.length][];
        for (int p = 0; p < tokens.length; p++) {
            double[] sum = plus(matrix("token_embd.weight")[tokens[p]], matrix("position_embd.weight")[p]);
            x[p] = layerNorm(plus(sum, matrix("token_types.weight")[0]), "token_embd_norm", epsilon);
        }
        for (int layer = 0; layer < whole("block_count"); layer++) {
            String at = "blk." + layer + ".";
            double[][] queries = new double[tokens.length][];
            double[][] keys = new double[tokens.length][];
            double[][] values = new double[tokens.length][];
            for (int p = 0; p < tokens.length; p++) {
                queries[p] = linear(at + "attn_q", x[p]);
                keys[p] = linear(at + "attn_k", x[p]);
                values[p] = linear(at + "attn_v", x[p]);
            }
            for (int p = 0; p < tokens.length; p++) {
                double[] mixed = attention(queries, keys, values, p, 0, tokens.length);
                x[p] = layerNorm(plus(x[p], linear(at + "attn_output", mixed)), at + "attn_output_norm", epsilon);
                double[] up = linear(at + "ffn_up", x[p]);
                for (int i = 0; i < up.length; i++) {
                    up[i] = gelu(up[i]);
                }
                x[p] = layerNorm(plus(x[p], linear(at + "ffn_down", up)), at + "layer_output_norm", epsilon);
            }
        }
        return x;
    }
}
