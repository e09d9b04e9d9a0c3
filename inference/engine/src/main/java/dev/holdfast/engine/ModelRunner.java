package dev.holdfast.engine;

import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.engine.text.Tokenizer;
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
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A model outside any service, for {@code holdfast model ...}. Belongs to one thread. */
public final class ModelRunner implements AutoCloseable {
    private final LoadedModel model;
    private final Workers workers;
    private @Nullable Sequence sequence;
    private @Nullable LoadedModel draft;
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

    ModelShape shape() {
        return model.shape();
    }

    /** The longest sequence, in tokens. */
    int contextTokens() {
        return model.contextTokens();
    }

    /**
     * The tokens of a plain text, framed as the model wants it; text yields no control tokens. The file may hold a vocabulary and no
     * tensors, and its architecture need not be known: nothing is loaded.
     */
    public static Verdict<int[]> tokenize(Path file, String text) {
        return MappedModel.map(file).then(mapped -> {
            try (mapped) {
                return mapped.head()
                        .then(head -> Verdict.of(() -> Tokenizer.of(head).encodeText(text)));
            }
        });
    }

    /** The tokens of a plain text, framed as the model wants it. Text yields no control tokens. */
    public Verdict<int[]> tokenize(String text) {
        return model.tokenizer().then(tokenizer -> Verdict.accepted(tokenizer.encodeText(text)));
    }

    /** The tokens of a text that is to be continued, behind the begin token where the model wants one. */
    public Verdict<int[]> prompt(String text) {
        return model.tokenizer().then(tokenizer -> Verdict.accepted(tokenizer.encodePrompt(text)));
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
        return model.embed(text, Turns.FREE);
    }

    Verdict<int[]> checked(int[] tokens, int most) {
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
     * @param guessed tokens that the draft model guessed
     * @param right those of them that were chosen
     */
    public record Continuation(
            int[] tokens,
            String text,
            Finish finish,
            double firstTokenMillis,
            double tokensPerSecond,
            int guessed,
            int right) {}

    /** Lets a smaller model of the same vocabulary guess ahead from now on. */
    public Verdict<ModelRunner> draft(Path path, CacheType cache) {
        return LoadedModel.load(path, workers, model.contextTokens(), cache).then(loaded -> {
            Verdict<Transformer> decoder = loaded.decoder();
            if (!decoder.isAccepted() || !loaded.hasVocabularyOf(model)) {
                loaded.close();
                return Verdict.rejected(
                        Code.GGUF_UNSUPPORTED,
                        path + " cannot guess for this model: it is no decoder of the same vocabulary");
            }
            draft = loaded;
            return Verdict.accepted(this);
        });
    }

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
        Generation.Limits limits = new Generation.Limits(maxTokens);
        LoadedModel small = draft;
        Optional<Generation.Guesser> guesser =
                small != null && small.decoder() instanceof Verdict.Accepted<Transformer>(Transformer decoder)
                        ? Optional.of(new Generation.Guesser(decoder, small.newSequence()))
                        : Optional.empty();
        Generation generation =
                new Generation(model, tokenizer, tokenizer.vocabulary()::isControl, Turns.FREE, guesser);
        return generation.run(sequence(), prompt, sampling, limits, listener).then(outcome -> {
            double rest = millisSince(started) - first[0];
            double rate = tokens.size() < 2 ? 0 : (tokens.size() - 1) * 1000 / rest;
            int[] ids = tokens.stream().mapToInt(Integer::intValue).toArray();
            return Verdict.accepted(new Continuation(
                    ids, text.toString(), outcome.finish(), first[0], rate, generation.guessed(), generation.right()));
        });
    }

    Verdict<Transformer> decoder() {
        return model.decoder();
    }

    LoadedModel model() {
        return model;
    }

    /** When {@link #open} was called, by {@link System#nanoTime}. */
    long openedNanos() {
        return openedNanos;
    }

    /** How long {@link #open} took. */
    double loadMillis() {
        return loadMillis;
    }

    /** The begin token of the model, or -1 where it wants none. */
    int begin() {
        return model.tokenizer() instanceof Verdict.Accepted<Tokenizer>(Tokenizer tokenizer)
                ? tokenizer.frame().begin()
                : -1;
    }

    static double millisSince(long nanos) {
        return (System.nanoTime() - nanos) / 1e6;
    }

    @Override
    public void close() {
        workers.close();
        if (draft != null) {
            draft.close();
        }
        model.close();
    }
}
