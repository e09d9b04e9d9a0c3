package dev.holdfast.inference;

import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ModelSlot;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The models of one name: the one that serves, at most one candidate beside it, the older ones that still answer to their pinned names,
 * and what is being loaded. Loads of one lane follow each other; nothing else waits for them. What was still being loaded when its lane
 * was retired is unloaded as soon as it is there, and so is what was to serve at once where something serves already. Thread-safe.
 */
final class ModelLane {
    private final MemoryLedger memory;
    private final Function<Slot, HealthGate> gates;
    private final Predicate<SlotId> stays;
    private final AtomicInteger draining;
    private final Consumer<ModelSlot> loaded;
    private final GracedReleases graced = new GracedReleases();
    /** Held while a model is loaded, which may take for ever. */
    private final ReentrantLock loading = new ReentrantLock();
    // Changed under the lane's monitor, which is held for moments only.
    private volatile @Nullable HeldModel serving;
    private volatile @Nullable HeldModel candidate;
    private int loads;
    private long loadingSinceNanos;
    private boolean retired;
    /** How long requests took. */
    final RecentTimes times = new RecentTimes();

    /**
     * An empty lane.
     *
     * @param gates how each model is loaded
     * @param stays whether a release goes on answering to its pinned name when another one takes its place
     * @param draining counts the models that only finish their requests
     * @param loaded hears of each model that passed its gate
     */
    ModelLane(
            MemoryLedger memory,
            Function<Slot, HealthGate> gates,
            Predicate<SlotId> stays,
            AtomicInteger draining,
            Consumer<ModelSlot> loaded) {
        this.memory = memory;
        this.gates = gates;
        this.stays = stays;
        this.draining = draining;
        this.loaded = loaded;
    }

    /** Announces loads, which keep the lane from being {@link #retireIfIdle} until {@link #leave}. */
    synchronized void enter() {
        if (loads++ == 0) {
            loadingSinceNanos = System.nanoTime();
        }
    }

    synchronized void leave() {
        loads--;
    }

    /** For how long something has been loaded, or was announced; empty where nothing is. */
    synchronized Optional<Duration> loadingFor() {
        return loads == 0 ? Optional.empty() : Optional.of(Duration.ofNanos(System.nanoTime() - loadingSinceNanos));
    }

    /**
     * Loads a model that was announced, and serves it at once: its canaries passed when it was installed. {@code INS-SUPERSEDED}
     * where something serves already, {@code API-NOT-FOUND} where the lane was retired; also where that came about during the load.
     */
    GateReport serve(Slot slot) {
        return load(slot, LoadPurpose.SERVE);
    }

    /**
     * Loads a model that was announced, to answer to its pinned name beside what serves; its canaries passed when it was installed.
     * Nothing where it does so already. {@code API-NOT-FOUND} where it does not stay, or the lane was retired.
     */
    GateReport grace(Slot slot) {
        return load(slot, LoadPurpose.GRACE);
    }

    /**
     * Loads a model that was announced, in place of the candidate before it, and puts it to the test; {@code API-NOT-FOUND} where
     * the lane was retired.
     */
    GateReport loadCandidate(Slot slot) {
        return load(slot, LoadPurpose.CANDIDATE);
    }

    private GateReport load(Slot slot, LoadPurpose purpose) {
        loading.lock();
        try {
            Optional<Rejection> late = overtaken(slot, purpose);
            if (late.isPresent() || purpose == LoadPurpose.GRACE && answers(slot.slotId())) {
                return new GateReport(late, 0, List.of());
            }
            if (purpose == LoadPurpose.CANDIDATE) {
                unload(takeCandidate(Optional.empty()));
            }
            return switch (memory.reserve(slot.digest(), slot.length())) {
                case Verdict.Rejected<MemoryLedger.Share>(Rejection why) ->
                    new GateReport(Optional.of(why), 0, List.of());
                case Verdict.Accepted<MemoryLedger.Share>(MemoryLedger.Share share) -> load(slot, purpose, share);
            };
        } finally {
            loading.unlock();
        }
    }

    /** Why a load comes too late. What serves first serves by a flip, which is newer than anything that was to serve at once. */
    private synchronized Optional<Rejection> overtaken(Slot slot, LoadPurpose purpose) {
        if (retired) {
            return Optional.of(new Rejection(Code.API_NOT_FOUND, "the model was retired before it was loaded"));
        }
        HeldModel now = serving;
        return switch (purpose) {
            case CANDIDATE -> Optional.empty();
            case SERVE ->
                Optional.ofNullable(now)
                        .map(held ->
                                new Rejection(Code.INS_SUPERSEDED, held.slot().id() + " serves already"));
            case GRACE ->
                stays.test(slot.slotId())
                        ? Optional.empty()
                        : Optional.of(new Rejection(Code.API_NOT_FOUND, slot.id() + " is not in its grace"));
        };
    }

    private GateReport load(Slot slot, LoadPurpose purpose, MemoryLedger.Share share) {
        ModelSlot model = null;
        GateReport report;
        try {
            HealthGate.Result result = gates.apply(slot).run(purpose == LoadPurpose.CANDIDATE, share);
            model = result.model();
            report = result.report();
            if (model != null) {
                loaded.accept(model);
            }
        } finally {
            if (model == null) {
                share.release();
            }
        }
        Optional<Rejection> late = model == null ? Optional.empty() : take(new HeldModel(model, share), purpose);
        return late.isEmpty() ? report : new GateReport(late, report.loadMillis(), report.checks());
    }

    /** Holds what was loaded, or unloads it again where it comes too late. */
    private Optional<Rejection> take(HeldModel held, LoadPurpose purpose) {
        Slot slot = held.slot();
        Optional<Rejection> late;
        HeldModel before = null;
        synchronized (this) {
            late = overtaken(slot, purpose);
            if (late.isPresent() || purpose == LoadPurpose.GRACE && answers(slot.slotId())) {
                before = held;
            } else {
                switch (purpose) {
                    case CANDIDATE -> {
                        before = candidate;
                        candidate = held;
                    }
                    case SERVE -> serving = held;
                    case GRACE -> graced.add(held);
                }
            }
        }
        unload(before);
        return late;
    }

    /** Whether this slot answers to its pinned name. */
    private boolean answers(SlotId slot) {
        HeldModel now = serving;
        return now != null && now.is(slot) || graced.find(slot) != null;
    }

    /**
     * Makes the candidate serve if it is of this slot, or the release in its grace that is; empty where neither they nor what serves are.
     * What served until then is unloaded unless it stays.
     */
    Optional<Flip> flip(SlotId slot) {
        HeldModel before;
        HeldModel gone;
        HeldModel twin;
        long pauseNanos;
        synchronized (this) {
            HeldModel now = serving;
            HeldModel ready = candidate;
            if (now != null && now.is(slot)) {
                return Optional.of(new Flip(0, Optional.of(slot)));
            }
            twin = graced.find(slot);
            HeldModel next = ready != null && ready.is(slot) ? ready : twin;
            if (next == null) {
                return Optional.empty();
            }
            // First of all, so that whoever asks for it by its pinned name finds it in one place or the other.
            boolean remains = now != null && stays.test(now.slot().slotId());
            if (now != null && remains) {
                graced.add(now);
            }
            candidate = next == ready ? null : ready;
            long began = System.nanoTime();
            before = now;
            serving = next;
            pauseNanos = System.nanoTime() - began;
            graced.remove(slot::equals);
            gone = remains ? null : now;
            twin = twin == next ? null : twin;
        }
        unload(gone);
        unload(twin);
        return Optional.of(new Flip(
                (pauseNanos + 999) / 1000,
                Optional.ofNullable(before).map(held -> held.slot().slotId())));
    }

    /** Unloads the candidate if it is of this slot, and says what it was. */
    Optional<Slot> discard(SlotId slot) {
        HeldModel gone = takeCandidate(Optional.of(slot));
        unload(gone);
        return Optional.ofNullable(gone).map(HeldModel::slot);
    }

    private synchronized @Nullable HeldModel takeCandidate(Optional<SlotId> only) {
        HeldModel now = candidate;
        if (now == null || !only.map(now::is).orElse(true)) {
            return null;
        }
        candidate = null;
        return now;
    }

    /** Unloads the releases in their grace that stay no more, and says which. */
    List<Slot> endGraces() {
        return endGraces(slot -> !stays.test(slot));
    }

    /** Unloads this release in its grace; false where it is not loaded as one. */
    boolean endGrace(SlotId slot) {
        return !endGraces(slot::equals).isEmpty();
    }

    private List<Slot> endGraces(Predicate<SlotId> which) {
        List<HeldModel> over;
        synchronized (this) {
            over = graced.remove(which);
        }
        over.forEach(this::unload);
        return over.stream().map(HeldModel::slot).toList();
    }

    /** Unloads everything, also what is still being loaded. */
    void retire() {
        HeldModel before;
        HeldModel beside;
        synchronized (this) {
            retired = true;
            before = serving;
            beside = candidate;
            serving = null;
            candidate = null;
        }
        unload(before);
        unload(beside);
        endGraces(slot -> true);
    }

    /** Retires a lane that holds nothing and loads nothing; false where it does. */
    synchronized boolean retireIfIdle() {
        boolean idle = serving == null && candidate == null && graced.isEmpty() && loads == 0;
        retired |= idle;
        return idle;
    }

    private void unload(@Nullable HeldModel held) {
        if (held != null) {
            held.unload(draining);
        }
    }

    /**
     * What answers, kept loaded for one request; null where nothing does.
     *
     * @param id a pinned name, to which releases in their grace answer, too; null for what serves
     */
    @Nullable
    ModelSlot pin(@Nullable String id) {
        // Between reading the pointer and pinning, the model may have been replaced and unloaded: then look again.
        while (true) {
            HeldModel held = answering(id);
            if (held == null || held.model().pin()) {
                return held == null ? null : held.model();
            }
        }
    }

    private @Nullable HeldModel answering(@Nullable String id) {
        HeldModel now = serving;
        if (id == null || now != null && now.slot().id().equals(id)) {
            return now;
        }
        HeldModel older = graced.named(id);
        return older == null ? answeringAtRest(id) : older;
    }

    /** It may have moved between service and grace during the looks at both. */
    private synchronized @Nullable HeldModel answeringAtRest(String id) {
        HeldModel now = serving;
        return now != null && now.slot().id().equals(id) ? now : graced.named(id);
    }

    Optional<ModelSlot> serving() {
        return Optional.ofNullable(serving).map(HeldModel::model);
    }

    Optional<ModelSlot> candidate() {
        return Optional.ofNullable(candidate).map(HeldModel::model);
    }

    /** The releases that answer to their pinned names alone. */
    List<ModelSlot> graced() {
        return graced.models();
    }

    /** Whether it holds this slot, for whatever. */
    boolean holds(SlotId slot) {
        HeldModel other = candidate;
        return answers(slot) || other != null && other.is(slot);
    }
}
