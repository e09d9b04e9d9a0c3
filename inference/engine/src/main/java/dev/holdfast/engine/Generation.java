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
     */
    record Limits(int maxTokens, boolean ignoreEnd, int tokensPerSecond, List<String> stop) {}

    /** Gets the answer as it grows. */
    @FunctionalInterface
    public interface Listener {
        /** The answer begins: once, before its first text, or at its end where it has none. What is refused at once never begins. */
        default void begun() {}

        /** More text; false ends the answer. */
        boolean text(String delta);

        /** A chosen token; asked for before its text. */
        default void token(int id) {}

        /** Whether nobody waits for the answer any more. */
        default boolean cancelled() {
            return false;
        }
    }

    public record Outcome(Usage usage, Finish finish) {}

    private final LoadedModel model;
    private final Tokenizer tokenizer;
    private final IntPredicate ends;
    private boolean begun;

    Generation(LoadedModel model, Tokenizer tokenizer, IntPredicate ends) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.ends = ends;
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
        if (!readPrompt(batcher.decoder(), sequence, prompt, listener)) {
            return Verdict.accepted(new Outcome(usage, Finish.CANCELLED));
        }
        return answer(batcher.member(sequence), prompt, usage, sampling, limits, listener);
    }

    /** In batches, so that a long prompt can be cancelled. */
    private static boolean readPrompt(Transformer decoder, Sequence sequence, int[] prompt, Listener listener) {
        for (int from = sequence.position(); from < prompt.length; from += Kernels.BATCH) {
            if (listener.cancelled()) {
                return false;
            }
            decoder.read(sequence, prompt, from, Math.min(Kernels.BATCH, prompt.length - from), null);
        }
        return true;
    }

    private Verdict<Outcome> answer(
            DecodeBatcher.Member member,
            int[] prompt,
            Usage usage,
            Sampling sampling,
            Limits limits,
            Listener listener) {
        Sequence sequence = member.sequence();
        Sampler sampler = new Sampler(sampling, sequence.logits.length);
        sampler.prompt(prompt);
        LogitMask mask = limits.ignoreEnd() ? LogitMask.without(ends) : LogitMask.NONE;
        TextDecoder words = new TextDecoder(tokenizer, tokenizer.isSpecial(prompt[prompt.length - 1]));
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
            mask.apply(sequence.logits);
            token[0] = sampler.next(sequence.logits);
            if (token[0] < 0) {
                return Verdict.rejected(Code.API_INTERNAL, "the model computed no number");
            }
            if (ends.test(token[0])) {
                finish = Finish.STOP;
                break;
            }
            count++;
            mask.chosen(token[0]);
            listener.token(token[0]);
            String text = stop.pass(words.next(token[0]));
            pace(started, count, limits.tokensPerSecond());
            if (!text.isEmpty() && !say(listener, text)) {
                return Verdict.accepted(new Outcome(usage.completed(count), Finish.CANCELLED));
            }
            if (stop.found()) {
                return Verdict.accepted(new Outcome(usage.completed(count), Finish.STOP));
            }
            if (count < most) {
                member.read(token[0]);
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
