package dev.holdfast.engine;

import dev.holdfast.control.Slot;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.SequencePool;
import dev.holdfast.engine.text.PromptWriter;
import dev.holdfast.engine.text.TokenizerDigest;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

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

    /** Answers on the calling thread, which holds a pin; the owner's next prompt may build on what was read. */
    public Verdict<Generation.Outcome> answer(ChatRequest request, Optional<Long> owner, Generation.Listener listener) {
        return prompts.write(request.prompt()).then(prompt -> {
            Sequence sequence = sequences.take(owner, prompt);
            try {
                Generation.Limits limits = new Generation.Limits(
                        request.maxTokens(), request.ignoreEnd(), request.tokensPerSecond(), request.stop());
                return new Generation(model, prompts.tokenizer(), prompts::ends)
                        .run(sequence, prompt, request.sampling(), limits, listener);
            } finally {
                sequences.giveBack(sequence, owner);
            }
        });
    }
}
