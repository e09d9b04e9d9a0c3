package com.llama4j;

import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Times llama3.java, of whose package it is for that, and prints JSON. Its tokenizer opens no vocabulary but Llama 3's, so
 * weights are loaded without one and tokens are random, as llama-bench has it. Compiled beside Llama3.java when a benchmark
 * runs; no part of the build.
 *
 * <pre>
 * arguments      FILE.gguf PROMPT-TOKENS DECODED-TOKENS RUNS
 * answer         {"prefill": tokens a second, "decode": tokens a second}, each the median of RUNS after a warm-up
 * </pre>
 */
public final class Llama3Speed {
    /** What llama3.java reads a prompt in, unless told otherwise. */
    private static final int BATCH_TOKENS = Integer.getInteger("llama.BatchSize", 16);

    private static final long WARM_UP_NANOS = 10_000_000_000L;

    private final Llama model;
    private final Llama.State state;
    private final int[] tokens;

    private Llama3Speed(Llama model) {
        this.model = model;
        this.state = new Llama.State(model.configuration(), BATCH_TOKENS);
        this.tokens = new Random(1)
                .ints(model.configuration().contextLength, 0, model.configuration().vocabularySize)
                .toArray();
    }

    public static void main(String[] arguments) throws Exception {
        int prompt = Integer.parseInt(arguments[1]);
        int decoded = Integer.parseInt(arguments[2]);
        int runs = Integer.parseInt(arguments[3]);
        Llama3Speed speed = new Llama3Speed(load(Path.of(arguments[0]), Math.max(prompt, decoded)));
        long until = System.nanoTime() + WARM_UP_NANOS;
        while (System.nanoTime() < until) {
            speed.prefill(Math.min(prompt, 64));
            speed.decode(Math.min(decoded, 32));
        }
        List<Double> prefill = new ArrayList<>();
        List<Double> decode = new ArrayList<>();
        for (int run = 0; run < runs; run++) {
            prefill.add(prompt / speed.prefill(prompt));
            decode.add(decoded / speed.decode(decoded));
        }
        System.out.printf("{\"prefill\": %s, \"decode\": %s}%n", median(prefill), median(decode));
    }

    /** As its ModelLoader does, but for the tokenizer. */
    private static Llama load(Path file, int contextTokens) throws Exception {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            GGUF gguf = GGUF.loadModel(channel, file.toString());
            Map<String, Object> metadata = gguf.getMetadata();
            Llama.Configuration shape = new Llama.Configuration(
                    (int) metadata.get("llama.embedding_length"),
                    (int) metadata.get("llama.feed_forward_length"),
                    (int) metadata.get("llama.block_count"),
                    (int) metadata.get("llama.attention.head_count"),
                    (int) metadata.get("llama.attention.head_count_kv"),
                    ((String[]) metadata.get("tokenizer.ggml.tokens")).length,
                    contextTokens,
                    (float) metadata.get("llama.attention.layer_norm_rms_epsilon"),
                    (float) metadata.get("llama.rope.freq_base"));
            var tensors = GGUF.loadTensors(channel, gguf.getTensorDataOffset(), gguf.getTensorInfos());
            return new Llama(shape, null, ModelLoader.loadWeights(tensors, shape));
        }
    }

    /** Reads a prompt in batches and makes the logits of its last token; returns seconds. */
    private double prefill(int count) {
        long started = System.nanoTime();
        for (int at = 0; at < count; at += BATCH_TOKENS) {
            int[] batch = Arrays.copyOfRange(tokens, at, Math.min(count, at + BATCH_TOKENS));
            Llama.forward(model, state, batch, at, at + BATCH_TOKENS >= count);
        }
        return (System.nanoTime() - started) / 1e9;
    }

    /** One token after the other from the beginning of a sequence; returns seconds. */
    private double decode(int count) {
        long started = System.nanoTime();
        for (int at = 0; at < count; at++) {
            Llama.forward(model, state, new int[] {tokens[at]}, at, true);
        }
        return (System.nanoTime() - started) / 1e9;
    }

    private static double median(List<Double> values) {
        return values.stream().sorted().toList().get(values.size() / 2);
    }
}
