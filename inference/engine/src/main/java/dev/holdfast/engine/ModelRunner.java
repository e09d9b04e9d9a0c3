package dev.holdfast.engine;

import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Products;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A model outside any service, for {@code holdfast model ...} and for benchmarks. Belongs to one thread. */
public final class ModelRunner implements AutoCloseable {
    private final LoadedModel model;
    private final Workers workers;
    private @Nullable Sequence sequence;
    private final long openedNanos;
    private final double loadMillis;

    private ModelRunner(LoadedModel model, Workers workers, long openedNanos) {
        this.model = model;
        this.workers = workers;
        this.openedNanos = openedNanos;
        this.loadMillis = millisSince(openedNanos);
    }

    /**
     * Opens a model file.
     *
     * @param contextTokens the longest sequence; the model's own limit counts too
     * @param threads threads that share one product
     * @param cache how keys and values are kept
     */
    public static Verdict<ModelRunner> open(Path path, int contextTokens, int threads, CacheType cache) {
        long started = System.nanoTime();
        Workers workers = Workers.of(threads);
        Verdict<ModelRunner> verdict = LoadedModel.load(path, workers, contextTokens, cache)
                .then(model -> Verdict.accepted(new ModelRunner(model, workers, started)));
        if (!verdict.isAccepted()) {
            workers.close();
        }
        return verdict;
    }

    /** As {@link #open(Path, int, int, CacheType)}, with the usual cache. */
    public static Verdict<ModelRunner> open(Path path, int contextTokens, int threads) {
        return open(path, contextTokens, threads, CacheType.DEFAULT);
    }

    public ModelShape shape() {
        return model.shape();
    }

    /** The longest sequence, in tokens. */
    public int contextTokens() {
        return model.contextTokens();
    }

    /** The tokens of a plain text, with the begin token where the model wants one. Text yields no control tokens. */
    public Verdict<int[]> tokenize(String text) {
        return model.tokenizer().then(tokenizer -> Verdict.accepted(tokenizer.encodeText(text)));
    }

    /** The text of tokens. */
    public Verdict<String> text(int[] tokens) {
        return checked(tokens, Integer.MAX_VALUE)
                .then(ids -> model.tokenizer().then(tokenizer -> Verdict.accepted(tokenizer.decode(ids))));
    }

    /** The sequence of this runner, empty; only a decoder has one. */
    Sequence sequence() {
        Sequence known = sequence;
        if (known == null) {
            known = model.newSequence();
            sequence = known;
        }
        known.rewind();
        return known;
    }

    /** How many tokens the sequence of this runner holds. */
    int position() {
        return sequence == null ? 0 : sequence.position();
    }

    /** The vector of a text. */
    public Verdict<Embedding> embed(String text) {
        return model.embed(text);
    }

    private Verdict<int[]> checked(int[] tokens, int most) {
        if (tokens.length == 0 || tokens.length > most) {
            return Verdict.rejected(Code.API_CONTEXT, tokens.length + " tokens, allowed 1 to " + most);
        }
        for (int token : tokens) {
            if (token < 0 || token >= shape().vocabulary()) {
                return Verdict.rejected(Code.API_REQUEST, "there is no token " + token);
            }
        }
        return Verdict.accepted(tokens);
    }

    /**
     * Writes logits as raw little-endian 32-bit floats, one row of the vocabulary for each position.
     *
     * @param all the rows of every position, else of the last one only
     * @return the number of rows
     */
    public Verdict<Integer> logits(int[] tokens, boolean all, Path out) throws IOException {
        Verdict<int[]> input = checked(tokens, model.contextTokens());
        if (input instanceof Verdict.Rejected<int[]> rejected) {
            return rejected.as();
        }
        return switch (model.decoder()) {
            case Verdict.Rejected<Transformer> rejected -> rejected.as();
            case Verdict.Accepted<Transformer>(Transformer decoder) -> write(decoder, tokens, all, out);
        };
    }

    private Verdict<Integer> write(Transformer decoder, int[] tokens, boolean all, Path out) throws IOException {
        try (OutputStream stream = new BufferedOutputStream(Files.newOutputStream(out))) {
            ByteBuffer row = ByteBuffer.allocate(4 * shape().vocabulary()).order(ByteOrder.LITTLE_ENDIAN);
            decoder.read(sequence(), tokens, 0, tokens.length, (position, logits) -> {
                if (all || position == tokens.length - 1) {
                    row.asFloatBuffer().put(logits);
                    try {
                        stream.write(row.array());
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                }
            });
        } catch (UncheckedIOException e) {
            throw new IOException(e.getMessage(), e);
        }
        return Verdict.accepted(all ? tokens.length : 1);
    }

    /**
     * A continuation.
     *
     * @param tokens what was generated
     * @param text the same as text
     * @param firstTokenMillis from the call to the first token
     * @param tokensPerSecond of all tokens after the first
     */
    public record Continuation(
            int[] tokens, String text, Finish finish, double firstTokenMillis, double tokensPerSecond) {}

    /** Continues tokens; a control token ends the continuation and is not part of it. */
    public Verdict<Continuation> generate(int[] prompt, int maxTokens, Sampling sampling) {
        return checked(prompt, model.contextTokens() - 1)
                .then(input -> model.tokenizer().then(tokenizer -> generate(input, maxTokens, sampling, tokenizer)));
    }

    private Verdict<Continuation> generate(int[] prompt, int maxTokens, Sampling sampling, Tokenizer tokenizer) {
        List<Integer> tokens = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        long started = System.nanoTime();
        double[] first = {0};
        Generation.Listener listener = new Generation.Listener() {
            @Override
            public void token(int id) {
                if (tokens.isEmpty()) {
                    first[0] = millisSince(started);
                }
                tokens.add(id);
            }

            @Override
            public boolean text(String delta) {
                text.append(delta);
                return true;
            }
        };
        Generation.Limits limits = new Generation.Limits(maxTokens, false, 0, List.of());
        return new Generation(model, tokenizer, tokenizer.vocabulary()::isControl)
                .run(sequence(), prompt, sampling, limits, listener)
                .then(outcome -> {
                    double rest = millisSince(started) - first[0];
                    double rate = tokens.size() < 2 ? 0 : (tokens.size() - 1) * 1000 / rest;
                    int[] ids = tokens.stream().mapToInt(Integer::intValue).toArray();
                    return Verdict.accepted(new Continuation(ids, text.toString(), outcome.finish(), first[0], rate));
                });
    }

    /**
     * How well a model expects a text.
     *
     * @param perplexity exp of the mean negative log likelihood
     * @param tokens how many tokens were scored
     */
    public record Perplexity(double perplexity, int tokens, int windows) {}

    /**
     * Cuts the tokens into windows of {@code context} and scores the second half of each, so that every scored token
     * has at least half a window before it (the convention of llama.cpp's perplexity tool). The first token of a window
     * is replaced by the begin token where the model wants one.
     */
    public Verdict<Perplexity> perplexity(int[] tokens, int context) {
        return windows(tokens, context)
                .then(windows -> model.decoder().then(decoder -> {
                    double[] loss = {0};
                    for (int[] window : windows) {
                        decoder.read(sequence(), window, 0, context, (position, logits) -> {
                            if (position >= context / 2 && position < context - 1) {
                                loss[0] -= LogProbabilities.of(logits, window[position + 1]);
                            }
                        });
                    }
                    int scored = windows.length * (context - 1 - context / 2);
                    return Verdict.accepted(new Perplexity(Math.exp(loss[0] / scored), scored, windows.length));
                }));
    }

    /** The windows that {@link #perplexity} scores. */
    Verdict<int[][]> windows(int[] tokens, int context) {
        if (context < 4 || context > model.contextTokens() || tokens.length < context) {
            return Verdict.rejected(
                    Code.API_CONTEXT, tokens.length + " tokens in windows of " + context + " of " + contextTokens());
        }
        return checked(tokens, Integer.MAX_VALUE).then(input -> {
            int begin = begin();
            int[][] windows = new int[input.length / context][];
            for (int w = 0; w < windows.length; w++) {
                windows[w] = Arrays.copyOfRange(input, w * context, (w + 1) * context);
                windows[w][0] = begin >= 0 ? begin : windows[w][0];
            }
            return Verdict.accepted(windows);
        });
    }

    Verdict<Transformer> decoder() {
        return model.decoder();
    }

    private int begin() {
        return model.tokenizer() instanceof Verdict.Accepted<Tokenizer>(Tokenizer tokenizer)
                ? tokenizer.frame().begin()
                : -1;
    }

    /**
     * Speed.
     *
     * @param prefill tokens per second of each run, reading a prompt; in order of size
     * @param decode tokens per second of each run, one token after the other; in order of size
     * @param firstTokenMillis from opening the file to the first token, cold
     * @param modelBytes of the file
     */
    public record Bench(
            List<Double> prefill,
            List<Double> decode,
            double loadMillis,
            double firstTokenMillis,
            long peakRssKib,
            long modelBytes,
            long parameters) {
        /** The median; 0 where that kind was not measured. */
        public double prefillTokensPerSecond() {
            return median(prefill);
        }

        /** The median; 0 where that kind was not measured. */
        public double decodeTokensPerSecond() {
            return median(decode);
        }

        private static double median(List<Double> sorted) {
            int middle = sorted.size() / 2;
            if (sorted.isEmpty()) {
                return 0;
            }
            return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
        }
    }

    /**
     * Measures after a warm-up. Longer runs than the context begin again behind the first {@code depth} tokens.
     *
     * @param depth tokens that are in the cache before each run, read once and not measured; less than the context
     * @param prefillTokens of one run; 0 leaves prefill out
     * @param decodeTokens of one run; 0 leaves decode out
     */
    public Verdict<Bench> bench(int depth, int prefillTokens, int decodeTokens, int runs) {
        if (prefillTokens < 0 || decodeTokens < 0 || prefillTokens + (long) decodeTokens == 0 || runs < 1) {
            return Verdict.rejected(Code.API_REQUEST, "at least one token of one kind and one run");
        }
        if (depth < 0 || depth >= contextTokens()) {
            return Verdict.rejected(Code.API_CONTEXT, "depth " + depth + ", allowed 0 to " + (contextTokens() - 1));
        }
        return model.decoder()
                .then(decoder -> Verdict.accepted(bench(decoder, depth, prefillTokens, decodeTokens, runs)));
    }

    private Bench bench(Transformer decoder, int depth, int prefillTokens, int decodeTokens, int runs) {
        int[] tokens =
                new Random(1).ints(contextTokens(), 0, shape().vocabulary()).toArray();
        decoder.read(sequence(), tokens, 0, 1, null);
        double firstTokenMillis = millisSince(openedNanos);
        Sequence behind = sequence();
        if (depth > 0) {
            decoder.read(behind, tokens, 0, depth, null);
        }
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
        while (System.nanoTime() < until) {
            prefill(decoder, behind, depth, tokens, Math.min(prefillTokens, 64));
            decode(decoder, behind, depth, tokens, Math.min(decodeTokens, 32));
        }
        List<Double> prefill = new ArrayList<>();
        List<Double> decode = new ArrayList<>();
        for (int run = 0; run < runs; run++) {
            if (prefillTokens > 0) {
                prefill.add(prefillTokens / prefill(decoder, behind, depth, tokens, prefillTokens));
            }
            if (decodeTokens > 0) {
                decode.add(decodeTokens / decode(decoder, behind, depth, tokens, decodeTokens));
            }
        }
        long parameters =
                model.file().tensors().stream().mapToLong(GgufTensor::elements).sum();
        return new Bench(
                prefill.stream().sorted().toList(),
                decode.stream().sorted().toList(),
                loadMillis,
                firstTokenMillis,
                peakRssKib(),
                model.file().length(),
                parameters);
    }

    /**
     * Measures how fast several sequences are decoded together, as concurrent answers are; after a warm-up.
     *
     * @param tokens of each sequence, which has no prompt
     * @return tokens per second of all together, of each run, in order of size
     */
    public Verdict<List<Double>> benchTogether(int streams, int tokens, int runs) {
        if (streams < 1 || streams > Products.MOST_TOGETHER || tokens < 1 || tokens > contextTokens() || runs < 1) {
            return Verdict.rejected(
                    Code.API_REQUEST,
                    "1 to " + Products.MOST_TOGETHER + " streams of 1 to " + contextTokens() + " tokens, and a run");
        }
        return model.decoder().then(decoder -> {
            Sequence[] sequences = new Sequence[streams];
            Arrays.setAll(sequences, i -> model.newSequence());
            List<Double> rates = new ArrayList<>();
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
            while (System.nanoTime() < until) {
                together(decoder, sequences, Math.min(tokens, 8));
            }
            for (int run = 0; run < runs; run++) {
                rates.add(together(decoder, sequences, tokens));
            }
            return Verdict.accepted(rates.stream().sorted().toList());
        });
    }

    private static double together(Transformer decoder, Sequence[] sequences, int tokens) {
        int[] next = new int[sequences.length];
        for (Sequence sequence : sequences) {
            sequence.rewind();
        }
        long started = System.nanoTime();
        for (int t = 0; t < tokens; t++) {
            Arrays.fill(next, t);
            decoder.step(sequences, next, sequences.length);
        }
        return sequences.length * tokens * 1000 / millisSince(started);
    }

    private static double prefill(Transformer decoder, Sequence sequence, int depth, int[] tokens, int count) {
        int most = tokens.length - depth;
        long started = System.nanoTime();
        for (int done = 0; done < count; done += most) {
            sequence.keep(depth);
            decoder.read(sequence, tokens, 0, Math.min(most, count - done), null);
        }
        return millisSince(started) / 1000;
    }

    private static double decode(Transformer decoder, Sequence sequence, int depth, int[] tokens, int count) {
        sequence.keep(depth);
        long started = System.nanoTime();
        for (int done = 0; done < count; done++) {
            if (sequence.room() == 0) {
                sequence.keep(depth);
            }
            decoder.read(sequence, tokens, done % tokens.length, 1, null);
        }
        return millisSince(started) / 1000;
    }

    /** The process's high-water mark from the kernel, or 0 where it does not tell. */
    private static long peakRssKib() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("VmHWM:")) {
                    return Long.parseLong(line.replaceAll("\\D", ""));
                }
            }
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
        return 0;
    }

    private static double millisSince(long nanos) {
        return (System.nanoTime() - nanos) / 1e6;
    }

    @Override
    public void close() {
        workers.close();
        model.close();
    }
}
