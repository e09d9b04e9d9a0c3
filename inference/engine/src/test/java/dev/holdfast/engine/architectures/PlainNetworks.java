package dev.holdfast.engine.architectures;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufReader;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.gguf.RowDecoder;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Qwen3 and BERT in plain 64-bit loops, token by token as the papers write them down: the reference where no other engine's
 * numbers are at hand. Shares nothing with the engine but the reading of the file.
 */
final class PlainNetworks {
    private final GgufFile file;
    private final MemorySegment bytes;
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
        heads = whole("attention.head_count");
        keyHeads = whole("attention.head_count_kv");
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

    private double[][] matrix(String name) {
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
        return plus(times(matrix(name + ".weight"), x), vector(name + ".bias"));
    }

    private static double[] head(double[] x, int head, int size) {
        return java.util.Arrays.copyOfRange(x, head * size, (head + 1) * size);
    }

    /** Token {@code p} of {@code queries} looks at the first {@code seen} keys. */
    private double[] attention(double[][] queries, double[][] keys, double[][] values, int p, int seen) {
        double[] out = new double[heads * headSize];
        for (int h = 0; h < heads; h++) {
            int kv = h * keyHeads / heads;
            double[] weights = new double[seen];
            double sum = 0;
            for (int j = 0; j < seen; j++) {
                weights[j] =
                        Math.exp(dot(head(queries[p], h, headSize), head(keys[j], kv, headSize)) / Math.sqrt(headSize));
                sum += weights[j];
            }
            for (int j = 0; j < seen; j++) {
                for (int d = 0; d < headSize; d++) {
                    out[h * headSize + d] += weights[j] / sum * values[j][kv * headSize + d];
                }
            }
        }
        return out;
    }

    /** Norms each head, then turns the pairs (i, i + half) by p * base^(-2i/size). */
    private double[] normedAndTurned(double[] x, double[] gain, double epsilon, double base, int p) {
        double[] out = new double[x.length];
        for (int h = 0; h < x.length / headSize; h++) {
            double[] one = rms(head(x, h, headSize), gain, epsilon);
            for (int i = 0; i < headSize / 2; i++) {
                double angle = p * Math.pow(base, -2.0 * i / headSize);
                double a = one[i];
                double b = one[i + headSize / 2];
                out[h * headSize + i] = a * Math.cos(angle) - b * Math.sin(angle);
                out[h * headSize + i + headSize / 2] = a * Math.sin(angle) + b * Math.cos(angle);
            }
        }
        return out;
    }

    /** The logits after every token. */
    double[][] qwen3(int[] tokens) throws Exception {
        double epsilon =
                file.real(prefix + "attention.layer_norm_rms_epsilon", null).orThrow();
        double base = file.real(prefix + "rope.freq_base", 10_000.0).orThrow();
        double[][] embedding = matrix("token_embd.weight");
        double[][] x = new double[tokens.length][];
        for (int p = 0; p < tokens.length; p++) {
            x[p] = embedding[tokens[p]];
        }
        for (int layer = 0; layer < whole("block_count"); layer++) {
            String at = "blk." + layer + ".";
            double[][] queries = new double[tokens.length][];
            double[][] keys = new double[tokens.length][];
            double[][] values = new double[tokens.length][];
            for (int p = 0; p < tokens.length; p++) {
                double[] normed = rms(x[p], vector(at + "attn_norm.weight"), epsilon);
                queries[p] = normedAndTurned(
                        times(matrix(at + "attn_q.weight"), normed),
                        vector(at + "attn_q_norm.weight"),
                        epsilon,
                        base,
                        p);
                keys[p] = normedAndTurned(
                        times(matrix(at + "attn_k.weight"), normed),
                        vector(at + "attn_k_norm.weight"),
                        epsilon,
                        base,
                        p);
                values[p] = times(matrix(at + "attn_v.weight"), normed);
            }
            for (int p = 0; p < tokens.length; p++) {
                double[] mixed = attention(queries, keys, values, p, p + 1);
                x[p] = plus(x[p], times(matrix(at + "attn_output.weight"), mixed));
                double[] normed = rms(x[p], vector(at + "ffn_norm.weight"), epsilon);
                double[] gate = times(matrix(at + "ffn_gate.weight"), normed);
                double[] up = times(matrix(at + "ffn_up.weight"), normed);
                for (int i = 0; i < gate.length; i++) {
                    gate[i] = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
                }
                x[p] = plus(x[p], times(matrix(at + "ffn_down.weight"), gate));
            }
        }
        double[][] logits = new double[tokens.length][];
        for (int p = 0; p < tokens.length; p++) {
            logits[p] = times(embedding, rms(x[p], vector("output_norm.weight"), epsilon));
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
                double[] mixed = attention(queries, keys, values, p, tokens.length);
                x[p] = layerNorm(plus(x[p], linear(at + "attn_output", mixed)), at + "attn_output_norm", epsilon);
                double[] up = linear(at + "ffn_up", x[p]);
                for (int i = 0; i < up.length; i++) {
                    double u = Math.sqrt(2 / Math.PI) * (up[i] + 0.044715 * Math.pow(up[i], 3));
                    up[i] = up[i] * 0.5 * (1 + Math.tanh(u));
                }
                x[p] = layerNorm(plus(x[p], linear(at + "ffn_down", up)), at + "layer_output_norm", epsilon);
            }
        }
        return x;
    }
}
