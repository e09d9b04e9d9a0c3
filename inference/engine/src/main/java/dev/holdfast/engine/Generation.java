package dev.holdfast.engine;

import dev.holdfast.engine.architectures.DecodeBatcher;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.Kernels;
import dev.holdfast.engine.text.StopSequences;
import dev.holdfast.engine.text.TextDecoder;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntPredicate;

/**
 * One answer: reads the prompt, then chooses token after token. Apart from the text that it hands out, nothing is
 * allocated for a token.
 */
public final class Generation {
    /**
     * What ends and shapes an answer.
     *
     * @param maxTokens at most so many tokens, and never more than the context holds
     * @param ignoreEnd control tokens are never chosen, so that the answer runs to its limit
     * @param tokensPerSecond 0 for as fast as can be; otherwise tokens leave on a fixed clock, whatever they cost
     * @param stop texts at which the answer ends
     * @param alternatives where log-probabilities are told, of how many tokens at each place
     */
    record Limits(int maxTokens, boolean ignoreEnd, int tokensPerSecond, List<String> stop, OptionalInt alternatives) {
        Limits(int maxTokens) {
            this(maxTokens, false, 0, List.of(), OptionalInt.empty());
        }
    }

    /** Gets the answer as it grows. */
    @FunctionalInterface
    public interface Listener {
        /** The answer begins: once, before its first text, or at its end where it has none. What is refused at once never begins. */
        default void begun() {}

        /** More text; false ends the answer. */
        boolean text(String delta);

        /** A chosen token; asked for before its text. */
        default void token(int id) {}

        /** How likely that token was, where the request asks for it; before its text, too. */
        default void probability(ChosenToken token) {}

        /** Whether nobody waits for the answer any more. */
        default boolean cancelled() {
            return false;
        }
    }

    public record Outcome(Usage usage, Finish finish) {}

    private final LoadedModel model;
    private final Tokenizer tokenizer;
    private final IntPredicate ends;
    private final Turns turns;
    private final Optional<Guesser> guesser;
    private Optional<Speculation> ahead = Optional.empty();
    private boolean begun;

    /**
     * Who guesses ahead.
     *
     * @param draft a model of the same vocabulary
     * @param sequence of the draft, this answer's alone
     */
    record Guesser(Transformer draft, Sequence sequence) {}

    /**
     * For one answer.
     *
     * @param ends tells the tokens at which it ends
     */
    Generation(LoadedModel model, Tokenizer tokenizer, IntPredicate ends, Turns turns, Optional<Guesser> guesser) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.ends = ends;
        this.turns = turns;
        this.guesser = guesser;
    }

    /**
     * Makes an answer.
     *
     * @param sequence empty, or with the beginning of the prompt read already; at the end it holds all that was read
     */
    Verdict<Outcome> run(Sequence sequence, int[] prompt, Sampling sampling, Limits limits, Listener listener) {
        Verdict<Outcome> verdict =
                model.batcher().then(batcher -> run(batcher, sequence, prompt, sampling, limits, listener));
        if (verdict.isAccepted()) {
            begin(listener);
        }
        return verdict;
    }

    /** Tokens that the draft guessed. */
    int guessed() {
        return ahead.map(Speculation::guessed).orElse(0);
    }

    /** Those of them that were right. */
    int right() {
        return ahead.map(Speculation::right).orElse(0);
    }

    private void begin(Listener listener) {
        if (!begun) {
            begun = true;
            listener.begun();
        }
    }

    private boolean say(Listener listener, String text) {
        begin(listener);
        return listener.text(text);
    }

    private Verdict<Outcome> run(
            DecodeBatcher batcher,
            Sequence sequence,
            int[] prompt,
            Sampling sampling,
            Limits limits,
            Listener listener) {
        if (prompt.length == 0) {
            return Verdict.rejected(Code.API_REQUEST, "the prompt is empty");
        }
        if (prompt.length >= sequence.capacity) {
            return Verdict.rejected(
                    Code.API_CONTEXT, prompt.length + " prompt tokens, the context has " + sequence.capacity);
        }
        Usage usage = new Usage(prompt.length, sequence.position(), 0);
        try (DecodeBatcher.Member member = batcher.member(sequence)) {
            ahead = guesser.map(who -> new Speculation(member, batcher.decoder(), who.draft(), who.sequence(), ends));
            if (!readPrompt(batcher.decoder(), sequence, prompt, listener)) {
                return Verdict.accepted(new Outcome(usage, Finish.CANCELLED));
            }
            Reader reader = ahead.isPresent() ? ahead.get()::read : member::read;
            return answer(sequence, reader, prompt, usage, sampling, limits, listener);
        }
    }

    /** Reads a token of the answer, and gives the logits of the next one. */
    @FunctionalInterface
    private interface Reader {
        float[] read(int token);
    }

    /** In pieces, so that a long prompt can be cancelled and others come in between. */
    private boolean readPrompt(Transformer decoder, Sequence sequence, int[] prompt, Listener listener) {
        while (sequence.position() < prompt.length) {
            int count = Math.min(Kernels.BATCH, prompt.length - sequence.position());
            turns.read(count, pause -> listener.cancelled() ? 0 : readPiece(decoder, sequence, prompt, count, pause));
            if (listener.cancelled()) {
                return false;
            }
        }
        ahead.ifPresent(draft -> readPrompt(draft, listener));
        return !listener.cancelled();
    }

    /** As far as the draft has room: its context may be shorter. */
    private void readPrompt(Speculation draft, Listener listener) {
        int[] read = {1};
        while (read[0] > 0 && !listener.cancelled()) {
            turns.read(draft.missing(), pause -> read[0] = draft.catchUp(pause));
        }
    }

    private static int readPiece(Transformer decoder, Sequence sequence, int[] prompt, int count, Runnable pause) {
        decoder.read(sequence, prompt, sequence.position(), count, null, pause);
        return count;
    }

    private Verdict<Outcome> answer(
            Sequence sequence,
            Reader reader,
            int[] prompt,
            Usage usage,
            Sampling sampling,
            Limits limits,
            Listener listener) {
        float[] logits = sequence.logits;
        Sampler sampler = new Sampler(sampling, logits.length);
        sampler.prompt(prompt);
        LogitMask mask = limits.ignoreEnd() ? LogitMask.without(ends) : LogitMask.NONE;
        boolean afterSpecial = tokenizer.isSpecial(prompt[prompt.length - 1]);
        TextDecoder words = new TextDecoder(tokenizer, afterSpecial);
        TokenProbabilities probabilities = limits.alternatives().isEmpty()
                ? null
                : new TokenProbabilities(
                        tokenizer, limits.alternatives().getAsInt(), sequence.logits.length, afterSpecial);
        StopSequences stop = new StopSequences(limits.stop());
        // The last token needs no room: it is not read.
        int most = Math.min(limits.maxTokens(), sequence.room() + 1);
        long started = System.nanoTime();
        int[] token = new int[1];
        int count = 0;
        Finish finish = Finish.LENGTH;
        while (count < most) {
            if (listener.cancelled()) {
                return Verdict.accepted(new Outcome(usage.completed(count), Finish.CANCELLED));
            }
            if (probabilities != null) {
                probabilities.keep(logits);
            }
            mask.apply(logits);
            token[0] = sampler.next(logits);
            if (token[0] < 0) {
                return Verdict.rejected(Code.API_INTERNAL, "the model computed no number");
            }
            if (ends.test(token[0])) {
                finish = Finish.STOP;
                break;
            }
            count++;
            turns.made();
            mask.chosen(token[0]);
            listener.token(token[0]);
            if (probabilities != null) {
                listener.probability(probabilities.chosen(token[0]));
            }
            String text = stop.pass(words.next(token[0]));
            pace(started, count, limits.tokensPerSecond());
            if (!text.isEmpty() && !say(listener, text)) {
                return Verdict.accepted(new Outcome(usage.completed(count), Finish.CANCELLED));
            }
            if (stop.found()) {
                return Verdict.accepted(new Outcome(usage.completed(count), Finish.STOP));
            }
            if (count < most) {
                logits = reader.read(token[0]);
            }
        }
        // A character whose last bytes did not come any more is left out: an answer ends on a whole one.
        String rest = stop.rest();
        if (!rest.isEmpty() && !say(listener, rest)) {
            finish = Finish.CANCELLED;
        }
        return Verdict.accepted(new Outcome(usage.completed(count), finish));
    }

    private static void pace(long started, int count, int tokensPerSecond) {
        if (tokensPerSecond > 0) {
            long due = started + count * TimeUnit.SECONDS.toNanos(1) / tokensPerSecond;
            for (long wait = due - System.nanoTime();
                    wait > 0 && !Thread.currentThread().isInterrupted();
                    wait = due - System.nanoTime()) {
                LockSupport.parkNanos(wait);
            }
        }
    }
}
