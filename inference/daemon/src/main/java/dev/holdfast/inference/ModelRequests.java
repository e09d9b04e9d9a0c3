package dev.holdfast.inference;

import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.Generation;
import dev.holdfast.engine.ModelSlot;
import dev.holdfast.engine.TokenShares;
import dev.holdfast.engine.Turns;
import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The requests of all models: whose turn it is, on which thread, and how each ends. Each name has places of its own, and each user a
 * share of them. Thread-safe.
 */
final class ModelRequests implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ModelRequests.class);

    private final ModelHost models;
    private final UserShare share;
    private final int places;
    private final TokenShares shares = new TokenShares();
    private final KeyedThreads sequences;
    /** When each request in the making began, by what stands for it. */
    private final Map<Object, Long> begun = new ConcurrentHashMap<>();

    ModelRequests(ModelHost models, HostSettings settings) {
        this.models = models;
        this.share = settings.share();
        this.places = settings.load().maxSequences();
        // Retired models may still answer under names that are gone.
        this.sequences = new KeyedThreads(
                "holdfast-sequence",
                new KeyedThreads.Bounds(
                        places, share.sequences(), settings.maxQueued(), share.queued(), 2 * ModelName.MAX_MODELS),
                shares);
    }

    /** Requests in the making. */
    int active() {
        return begun.size();
    }

    /** How long the oldest request in the making has been so. */
    Duration longest() {
        long now = System.nanoTime();
        return Duration.ofNanos(
                begun.values().stream().mapToLong(since -> now - since).max().orElse(0));
    }

    /** Requests that wait for their turn. */
    int waiting() {
        return sequences.waiting();
    }

    /**
     * Answers on a thread of the model, one request after the other by the same version; the listener hears the outcome. Refused at once
     * where all its sequences and its queue are full, or what the caller may have of them.
     *
     * @param model the model that the caller asked for, by name or name and version; null for the default
     */
    void chat(@Nullable String model, List<ChatRequest> requests, Caller caller, AnswerListener listener) {
        Refusals refusals = new Refusals(listener::failed, listener::busy);
        submit(model, caller, new Work(listener::wanted, refusals, name -> {
            if (!listener.begin()) {
                return () -> {};
            }
            Function<ModelSlot, Verdict<Runnable>> answer =
                    slot -> Verdict.accepted(answerOn(slot, requests, caller, listener));
            return switch (pinned(name, model, answer)) {
                case Verdict.Rejected<Runnable>(Rejection why) -> () -> refuse(refusals, why);
                case Verdict.Accepted<Runnable>(Runnable end) -> end;
            };
        }));
    }

    /** Turns texts into vectors on a thread of the model; refused like an answer. */
    void embed(@Nullable String model, List<String> texts, Caller caller, EmbeddingListener listener) {
        Refusals refusals = new Refusals(why -> listener.done(new Verdict.Rejected<>(why)), listener::busy);
        submit(model, caller, new Work(listener::wanted, refusals, name -> {
            if (!listener.begin()) {
                return () -> {};
            }
            Verdict<Embeddings> outcome = pinned(name, model, slot -> embed(slot, texts, turns(caller), listener));
            return switch (outcome) {
                case Verdict.Rejected<Embeddings>(Rejection why) -> () -> refuse(refusals, why);
                case Verdict.Accepted<Embeddings> done -> () -> listener.done(done);
            };
        }));
    }

    private Turns turns(Caller caller) {
        return shares.of(caller.owner().id());
    }

    private static Verdict<Embeddings> embed(
            ModelSlot slot, List<String> texts, Turns turns, EmbeddingListener listener) {
        return Verdict.of(() -> {
            List<Embedding> vectors = new ArrayList<>();
            for (String text : texts) {
                Optional<Rejection> over = listener.over();
                if (over.isPresent()) {
                    throw new RejectedException(over.get());
                }
                vectors.add(slot.model().embed(text, turns).orThrow());
            }
            return new Embeddings(slot.description(), vectors);
        });
    }

    /**
     * Who hears that there is no answer, or none yet.
     *
     * @param busy hears also after which time to ask again
     */
    private record Refusals(Consumer<Rejection> failed, BiConsumer<Rejection, Duration> busy) {}

    /**
     * Work in a place of a model.
     *
     * @param isWanted whether anybody waits for its turn
     * @param run gets the name of the model; what it returns is run last
     */
    private record Work(BooleanSupplier isWanted, Refusals refusals, Function<String, Runnable> run) {}

    /** A model that is being loaded has been so for some time, and is taken to need as much again. */
    private void refuse(Refusals refusals, Rejection why) {
        Optional<Duration> loading = why.code() == Code.API_NO_MODEL ? models.loadingFor() : Optional.empty();
        loading.ifPresentOrElse(wait -> refusals.busy.accept(why, wait), () -> refusals.failed.accept(why));
    }

    private void submit(@Nullable String model, Caller caller, Work work) {
        String name = name(model);
        ModelLane lane = models.lane(name).orElse(null);
        if (lane == null) {
            refuse(work.refusals, absent(model));
            return;
        }
        KeyedThreads.Job job = new KeyedThreads.Job() {
            @Override
            public boolean wanted() {
                return work.isWanted.getAsBoolean();
            }

            @Override
            public Runnable get() {
                return perform(() -> work.run.apply(name), work.refusals.failed);
            }
        };
        KeyedThreads.Owner owner = caller.owner();
        switch (sequences.submit(name, owner, job)) {
            case YES -> {}
            case FULL ->
                work.refusals.busy.accept(
                        new Rejection(Code.API_BUSY, "all sequences are in use"),
                        lane.times.untilTurn(sequences.waiting(name), places));
            case SHARE_FULL ->
                work.refusals.busy.accept(
                        new Rejection(
                                Code.API_BUSY,
                                "this user has as many requests as one user may: " + share.sequences()
                                        + " that run and " + share.queued() + " that wait"),
                        lane.times.untilTurn(sequences.waiting(name, owner), share.sequences()));
        }
    }

    /** The name in what a caller asked for; no model has the empty one. */
    private String name(@Nullable String asked) {
        if (asked == null) {
            return models.defaultName().orElse("");
        }
        int version = asked.indexOf('@');
        return version < 0 ? asked : asked.substring(0, version);
    }

    private Rejection absent(@Nullable String asked) {
        if (models.serving().isEmpty()) {
            return new Rejection(Code.API_NO_MODEL, "no model is in service yet");
        }
        if (asked == null) {
            return new Rejection(Code.API_NO_MODEL, "the default model is not in service");
        }
        boolean comes = models.lane(name(asked))
                .filter(lane -> lane.serving().isEmpty() && lane.loadingFor().isPresent())
                .isPresent();
        return comes
                ? new Rejection(Code.API_NO_MODEL, "the model " + asked + " is being loaded")
                : Rejection.ofField(Code.API_NOT_FOUND, "model", "the model " + asked + " is not in service");
    }

    /** The caller hears of the end last of all: who then asks again at once finds the place free. */
    private Runnable perform(Supplier<Runnable> work, Consumer<Rejection> failed) {
        Object place = new Object();
        begun.put(place, System.nanoTime());
        try {
            return work.get();
        } catch (RuntimeException | Error e) {
            // The type only: a message might quote what the user wrote.
            LOG.error("a request ended in {}", e.getClass().getName());
            Rejection why = new Rejection(Code.API_INTERNAL, e.getClass().getName());
            return () -> failed.accept(why);
        } finally {
            begun.remove(place);
        }
    }

    private <T> Verdict<T> pinned(String name, @Nullable String asked, Function<ModelSlot, Verdict<T>> work) {
        String pinned = asked == null || asked.equals(name) ? null : asked;
        ModelLane lane = models.lane(name).orElse(null);
        ModelSlot slot = lane == null ? null : lane.pin(pinned);
        if (lane == null || slot == null) {
            return new Verdict.Rejected<>(absent(asked));
        }
        long began = System.nanoTime();
        try {
            return work.apply(slot);
        } finally {
            slot.unpin();
            lane.times.took(System.nanoTime() - began);
        }
    }

    private Runnable answerOn(ModelSlot slot, List<ChatRequest> requests, Caller caller, AnswerListener listener) {
        listener.pinned(slot.description());
        Optional<ModelSlot> draft = models.pinDraft(slot.description().model());
        try {
            return answerOn(slot, draft, requests, caller, listener);
        } finally {
            draft.ifPresent(ModelSlot::unpin);
        }
    }

    private Runnable answerOn(
            ModelSlot slot,
            Optional<ModelSlot> draft,
            List<ChatRequest> requests,
            Caller caller,
            AnswerListener listener) {
        Turns turns = turns(caller);
        for (int choice = 0; choice < requests.size(); choice++) {
            listener.choice(choice);
            switch (slot.answer(requests.get(choice), caller.user(), turns, draft, listener)) {
                case Verdict.Rejected<Generation.Outcome>(Rejection why) -> {
                    return () -> listener.failed(why);
                }
                case Verdict.Accepted<Generation.Outcome>(Generation.Outcome outcome) -> {
                    listener.chosen(outcome.usage(), outcome.finish());
                    if (outcome.finish() == Finish.CANCELLED) {
                        return listener::finished;
                    }
                }
            }
        }
        return listener::finished;
    }

    /** Ends waiting requests. */
    @Override
    public void close() {
        sequences.close();
    }
}
