package dev.holdfast.inference;

import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Generation;
import dev.holdfast.engine.ModelSlot;
import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Holds the serving model, at most one candidate beside it, and the models that still finish old requests.
 *
 * <p>A request pins the model that serves when it begins and keeps it to its end. A flip is one atomic change of a
 * pointer: requests that begin after it get the new model, and the old one is unloaded with its last request. Thread-safe.
 */
public final class ModelHost implements AutoCloseable {
    /**
     * How an engine works.
     *
     * @param blobs the folder of finished model files, each named by its digest
     * @param load how each model is loaded
     * @param maxQueued requests that may wait for their turn; beyond it they are refused
     * @param threads threads that share one product
     */
    public record Settings(Path blobs, HealthGate.Settings load, int maxQueued, int threads) {
        private int maxSequences() {
            return load.maxSequences();
        }
    }

    private final long startedAtMillis = System.currentTimeMillis();
    private final Settings settings;
    private final Workers workers;
    private final ThreadPoolExecutor sequences;
    private final AtomicReference<@Nullable ModelSlot> serving = new AtomicReference<>();
    private final AtomicInteger draining = new AtomicInteger();
    private final AtomicInteger active = new AtomicInteger();
    private final AtomicInteger admitted = new AtomicInteger();
    private final Object change = new Object();
    private volatile @Nullable ModelSlot candidate;

    public ModelHost(Settings settings) {
        this.settings = settings;
        this.workers = Workers.of(settings.threads());
        AtomicInteger number = new AtomicInteger();
        this.sequences = new ThreadPoolExecutor(
                settings.maxSequences(),
                settings.maxSequences(),
                0,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                task -> {
                    Thread thread = new Thread(task, "holdfast-sequence-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
    }

    /** Loads a model at start and serves it at once; its canaries passed when it was installed. */
    public GateReport serve(Slot slot) {
        synchronized (change) {
            HealthGate.Result result = gate(slot, false);
            if (result.model() != null) {
                replace(result.model());
            }
            return result.report();
        }
    }

    /** Loads a model beside the serving one and puts it to the test; it stays as the candidate when it passes. */
    public GateReport loadCandidate(Slot slot) {
        synchronized (change) {
            dropCandidate();
            HealthGate.Result result = gate(slot, true);
            candidate = result.model();
            return result.report();
        }
    }

    private HealthGate.Result gate(Slot slot, boolean canaries) {
        return new HealthGate(slot, settings.blobs().resolve(slot.digest().hex()), settings.load(), workers)
                .run(canaries);
    }

    /** Makes the candidate the serving model; where that digest serves already, nothing changes. */
    public Verdict<Flip> flip(Sha256 digest) {
        synchronized (change) {
            ModelSlot now = serving.get();
            ModelSlot next = candidate;
            if (next != null && next.description().digest().equals(digest)) {
                candidate = null;
                return Verdict.accepted(replace(next));
            }
            if (now != null && now.description().digest().equals(digest)) {
                return Verdict.accepted(new Flip(0, Optional.of(digest)));
            }
            return Verdict.rejected(Code.API_NOT_FOUND, "the candidate is not " + digest);
        }
    }

    private Flip replace(ModelSlot next) {
        long before = System.nanoTime();
        ModelSlot old = serving.getAndSet(next);
        long pauseNanos = System.nanoTime() - before;
        Optional<Sha256> previous =
                Optional.ofNullable(old).map(slot -> slot.description().digest());
        if (old != null) {
            draining.incrementAndGet();
            old.retire(draining::decrementAndGet);
        }
        return new Flip((pauseNanos + 999) / 1000, previous);
    }

    /** Unloads the candidate if it is this one. */
    public void discard(Sha256 digest) {
        synchronized (change) {
            ModelSlot now = candidate;
            if (now != null && now.description().digest().equals(digest)) {
                dropCandidate();
            }
        }
    }

    private void dropCandidate() {
        ModelSlot old = candidate;
        candidate = null;
        if (old != null) {
            old.retire(() -> {});
        }
    }

    /** What this engine holds now. Does not wait for a candidate that is being loaded. */
    public InferenceStatus status() {
        return new InferenceStatus(
                Optional.ofNullable(serving.get()).map(ModelHost::loaded),
                Optional.ofNullable(candidate).map(ModelHost::loaded),
                draining.get(),
                active.get(),
                startedAtMillis,
                ProcessHandle.current().pid());
    }

    private static InferenceStatus.Loaded loaded(ModelSlot slot) {
        Slot description = slot.description();
        return new InferenceStatus.Loaded(
                description.model(), description.version(), description.digest(), Optional.of(slot.tokenizerDigest()));
    }

    /** The model that serves new requests. */
    public Optional<Slot> serving() {
        return Optional.ofNullable(serving.get()).map(ModelSlot::description);
    }

    /**
     * Answers on a thread of the engine; the listener hears the outcome. Refused at once where all sequences and the
     * queue are full.
     *
     * @param model the model that the caller asked for, by name or name and version; null for whatever serves
     * @param owner the user whose earlier prompts may be built on; empty when nobody's may, and nothing is kept
     */
    public void chat(@Nullable String model, ChatRequest request, Optional<Long> owner, AnswerListener listener) {
        submit(
                () -> switch (pinned(model, slot -> Verdict.accepted(answerOn(slot, request, owner, listener)))) {
                    case Verdict.Rejected<Runnable>(Rejection why) -> () -> listener.failed(why);
                    case Verdict.Accepted<Runnable>(Runnable end) -> end;
                },
                listener::failed);
    }

    /** As {@link #chat(String, ChatRequest, Optional, AnswerListener)}, for nobody in particular. */
    public void chat(@Nullable String model, ChatRequest request, AnswerListener listener) {
        chat(model, request, Optional.empty(), listener);
    }

    /**
     * Vectors of texts.
     *
     * @param model which model made them
     * @param vectors in the order of the texts
     */
    record Embeddings(Slot model, List<Embedding> vectors) {
        Embeddings {
            vectors = List.copyOf(vectors);
        }
    }

    /** Turns texts into vectors on a thread of the engine; refused like an answer. */
    void embed(@Nullable String model, List<String> texts, Consumer<Verdict<Embeddings>> listener) {
        submit(
                () -> {
                    Verdict<Embeddings> outcome = pinned(model, slot -> embed(slot, texts));
                    return () -> listener.accept(outcome);
                },
                why -> listener.accept(new Verdict.Rejected<>(why)));
    }

    private static Verdict<Embeddings> embed(ModelSlot slot, List<String> texts) {
        return Verdict.of(() -> {
            List<Embedding> vectors = new ArrayList<>();
            for (String text : texts) {
                vectors.add(slot.model().embed(text).orThrow());
            }
            return new Embeddings(slot.description(), vectors);
        });
    }

    /** Does work on a thread of the engine; what it returns is run last. */
    private void submit(Supplier<Runnable> work, Consumer<Rejection> refuse) {
        if (admitted.incrementAndGet() > settings.maxSequences() + settings.maxQueued()) {
            admitted.decrementAndGet();
            refuse.accept(new Rejection(Code.API_BUSY, "all sequences are in use"));
            return;
        }
        try {
            sequences.execute(() -> perform(work, refuse));
        } catch (RejectedExecutionException e) {
            admitted.decrementAndGet();
            refuse.accept(new Rejection(Code.API_BUSY, "the engine is closing"));
        }
    }

    /** The caller hears of the end last of all: who then asks again at once finds the place free. */
    private void perform(Supplier<Runnable> work, Consumer<Rejection> refuse) {
        active.incrementAndGet();
        Runnable end;
        try {
            end = work.get();
        } catch (RuntimeException | OutOfMemoryError e) {
            // The type only: a message might quote what the user wrote.
            Rejection why = new Rejection(Code.API_INTERNAL, e.getClass().getName());
            end = () -> refuse.accept(why);
        } finally {
            active.decrementAndGet();
            admitted.decrementAndGet();
        }
        end.run();
    }

    private <T> Verdict<T> pinned(@Nullable String model, Function<ModelSlot, Verdict<T>> work) {
        ModelSlot slot = pinServing();
        if (slot == null) {
            return Verdict.rejected(Code.API_NO_MODEL, "no model is in service yet");
        }
        try {
            Slot description = slot.description();
            if (model != null && !model.equals(description.model()) && !model.equals(description.id())) {
                return Verdict.rejected(Code.API_NOT_FOUND, "the model " + model + " is not in service");
            }
            return work.apply(slot);
        } finally {
            slot.unpin();
        }
    }

    private static Runnable answerOn(
            ModelSlot slot, ChatRequest request, Optional<Long> owner, AnswerListener listener) {
        listener.pinned(slot.description());
        return switch (slot.answer(request, owner, listener)) {
            case Verdict.Rejected<Generation.Outcome>(Rejection why) -> () -> listener.failed(why);
            case Verdict.Accepted<Generation.Outcome>(Generation.Outcome outcome) ->
                () -> listener.finished(outcome.usage(), outcome.finish());
        };
    }

    /** Between reading the pointer and pinning, the model may have been replaced and unloaded: then look again. */
    private @Nullable ModelSlot pinServing() {
        while (true) {
            ModelSlot slot = serving.get();
            if (slot == null || slot.pin()) {
                return slot;
            }
        }
    }

    /** Ends waiting requests and unloads all models once their requests are done. */
    @Override
    public void close() {
        sequences.shutdownNow();
        try {
            sequences.awaitTermination(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        synchronized (change) {
            dropCandidate();
            ModelSlot old = serving.getAndSet(null);
            if (old != null) {
                old.retire(() -> {});
            }
        }
        workers.close();
    }
}
