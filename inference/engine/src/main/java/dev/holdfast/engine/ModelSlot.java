package dev.holdfast.engine;

import dev.holdfast.control.Slot;
import dev.holdfast.engine.architectures.DecodeBatcher;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.SequencePool;
import dev.holdfast.engine.text.PromptWriter;
import dev.holdfast.engine.text.TokenizerDigest;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.IntConsumer;

/**
 * A loaded model in use. It lives as long as its owner (the engine) or any request holds a pin; with the last pin its
 * file is unmapped. Thread-safe.
 */
public final class ModelSlot {
    private final Slot description;
    private final LoadedModel model;
    private final PromptWriter prompts;
    private final Sha256 tokenizerDigest;
    private final SequencePool sequences;
    /** The owner's pin is the first. */
    private final AtomicInteger pins = new AtomicInteger(1);

    /** The last one that was asked about, and the answer. */
    private volatile Optional<Draft> known = Optional.empty();

    private volatile Runnable whenClosed = () -> {};

    public ModelSlot(Slot description, LoadedModel model, PromptWriter prompts, int maxSequences) {
        this.description = description;
        this.model = model;
        this.prompts = prompts;
        this.tokenizerDigest = TokenizerDigest.of(model.file());
        this.sequences = new SequencePool(model::newSequence, maxSequences);
    }

    public Slot description() {
        return description;
    }

    /** What cuts texts into tokens, for evidence. */
    public Sha256 tokenizerDigest() {
        return tokenizerDigest;
    }

    public LoadedModel model() {
        return model;
    }

    /** From now on {@code watcher} hears of each step of decoding for how many answers it was; at once, so it must not wait. */
    public void watchSteps(IntConsumer watcher) {
        if (model.batcher() instanceof Verdict.Accepted<DecodeBatcher>(DecodeBatcher batcher)) {
            batcher.watch(watcher);
        }
    }

    /** Keeps the model loaded; false when it is gone already. */
    public boolean pin() {
        int now = pins.get();
        while (now > 0) {
            if (pins.compareAndSet(now, now + 1)) {
                return true;
            }
            now = pins.get();
        }
        return false;
    }

    /** Gives a pin back. */
    public void unpin() {
        if (pins.decrementAndGet() == 0) {
            model.close();
            whenClosed.run();
        }
    }

    /** Gives the owner's pin back: the model is unloaded as soon as no request is left. */
    public void retire(Runnable whenClosed) {
        this.whenClosed = whenClosed;
        sequences.close();
        unpin();
    }

    public SequencePool sequences() {
        return sequences;
    }

    private record Draft(ModelSlot model, boolean fits) {}

    /** Answers without a draft. */
    public Verdict<Generation.Outcome> answer(
            ChatRequest request, Optional<Long> owner, Turns turns, Generation.Listener listener) {
        return answer(request, owner, turns, Optional.empty(), listener);
    }

    /**
     * Answers on the calling thread, which holds a pin; the owner's next prompt may build on what was read.
     *
     * @param draft a smaller model that guesses ahead, on which the caller holds a pin, too; one of another vocabulary is not asked
     */
    public Verdict<Generation.Outcome> answer(
            ChatRequest request,
            Optional<Long> owner,
            Turns turns,
            Optional<ModelSlot> draft,
            Generation.Listener listener) {
        return prompts.write(request.prompt()).then(prompt -> {
            Sequence sequence = sequences.take(owner, prompt);
            try {
                return draft.filter(this::fits).isPresent()
                        ? draft.get()
                                .guess(
                                        prompt,
                                        owner,
                                        guesser -> answer(
                                                request, prompt, sequence, turns, Optional.of(guesser), listener))
                        : answer(request, prompt, sequence, turns, Optional.empty(), listener);
            } finally {
                sequences.giveBack(sequence, owner);
            }
        });
    }

    private boolean fits(ModelSlot draft) {
        Optional<Draft> last = known.filter(one -> one.model == draft);
        if (last.isEmpty()) {
            last = Optional.of(new Draft(draft, draft.model.hasVocabularyOf(model)));
            known = last;
        }
        return last.get().fits;
    }

    /** Lends a sequence of this model to an answer of another one. */
    private <T> Verdict<T> guess(int[] prompt, Optional<Long> owner, Function<Generation.Guesser, Verdict<T>> answer) {
        return model.decoder().then(decoder -> {
            Sequence sequence = sequences.take(owner, prompt);
            try {
                return answer.apply(new Generation.Guesser(decoder, sequence));
            } finally {
                sequences.giveBack(sequence, owner);
            }
        });
    }

    private Verdict<Generation.Outcome> answer(
            ChatRequest request,
            int[] prompt,
            Sequence sequence,
            Turns turns,
            Optional<Generation.Guesser> guesser,
            Generation.Listener listener) {
        Generation.Limits limits = new Generation.Limits(
                request.maxTokens(),
                request.ignoreEnd(),
                request.tokensPerSecond(),
                request.stop(),
                request.alternatives());
        return new Generation(model, prompts.tokenizer(), prompts::ends, turns, guesser)
                .run(sequence, prompt, request.sampling(), limits, listener);
    }
}
