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
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The models of one name: the one that serves, at most one candidate beside it, and what is being loaded. Loads of one lane follow
 * each other; nothing else waits for them. What was still being loaded when its lane was retired is unloaded as soon as it is there,
 * and so is what was to serve at once where something serves already. Thread-safe.
 */
final class ModelLane {
    /** A loaded model with what it reserved. */
    private record Held(ModelSlot model, MemoryLedger.Share memory) {
        boolean is(SlotId slot) {
            return model.description().slotId().equals(slot);
        }
    }

    private final MemoryLedger memory;
    private final Function<Slot, HealthGate> gates;
    private final AtomicInteger draining;
    /** Held while a model is loaded, which may take for ever. */
    private final ReentrantLock loading = new ReentrantLock();
    // Changed under the lane's monitor, which is held for moments only.
    private volatile @Nullable Held serving;
    private volatile @Nullable Held candidate;
    private int loads;
    private boolean retired;

    /**
     * An empty lane.
     *
     * @param gates how each model is loaded
     * @param draining counts the models that only finish their requests
     */
    ModelLane(MemoryLedger memory, Function<Slot, HealthGate> gates, AtomicInteger draining) {
        this.memory = memory;
        this.gates = gates;
        this.draining = draining;
    }

    /** Announces loads, which keep the lane from being {@link #retireIfIdle} until {@link #leave}. */
    synchronized void enter() {
        loads++;
    }

    synchronized void leave() {
        loads--;
    }

    /**
     * Loads a model that was announced, and serves it at once: its canaries passed when it was installed. {@code INS-SUPERSEDED}
     * where something serves already, {@code API-NOT-FOUND} where the lane was retired; also where that came about during the load.
     */
    GateReport serve(Slot slot) {
        return load(slot, false);
    }

    /**
     * Loads a model that was announced, in place of the candidate before it, and puts it to the test; {@code API-NOT-FOUND} where
     * the lane was retired.
     */
    GateReport loadCandidate(Slot slot) {
        return load(slot, true);
    }

    private GateReport load(Slot slot, boolean asCandidate) {
        loading.lock();
        try {
            Optional<Rejection> late = overtaken(asCandidate);
            if (late.isPresent()) {
                return new GateReport(late, 0, List.of());
            }
            if (asCandidate) {
                unload(takeCandidate(Optional.empty()));
            }
            return switch (memory.reserve(slot.digest(), slot.length())) {
                case Verdict.Rejected<MemoryLedger.Share>(Rejection why) ->
                    new GateReport(Optional.of(why), 0, List.of());
                case Verdict.Accepted<MemoryLedger.Share>(MemoryLedger.Share share) -> load(slot, asCandidate, share);
            };
        } finally {
            loading.unlock();
        }
    }

    /** Why a load comes too late. What serves first serves by a flip, which is newer than anything that was to serve at once. */
    private synchronized Optional<Rejection> overtaken(boolean asCandidate) {
        if (retired) {
            return Optional.of(new Rejection(Code.API_NOT_FOUND, "the model was retired before it was loaded"));
        }
        Held now = serving;
        return asCandidate || now == null
                ? Optional.empty()
                : Optional.of(new Rejection(
                        Code.INS_SUPERSEDED, now.model().description().id() + " serves already"));
    }

    private GateReport load(Slot slot, boolean asCandidate, MemoryLedger.Share share) {
        ModelSlot model = null;
        GateReport report;
        try {
            HealthGate.Result result = gates.apply(slot).run(asCandidate, share);
            model = result.model();
            report = result.report();
        } finally {
            if (model == null) {
                share.release();
            }
        }
        Optional<Rejection> late = model == null ? Optional.empty() : take(new Held(model, share), asCandidate);
        return late.isEmpty() ? report : new GateReport(late, report.loadMillis(), report.checks());
    }

    /** Holds what was loaded, or unloads it again where it comes too late. */
    private Optional<Rejection> take(Held held, boolean asCandidate) {
        Optional<Rejection> late;
        Held before = null;
        synchronized (this) {
            late = overtaken(asCandidate);
            if (late.isPresent()) {
                before = held;
            } else if (asCandidate) {
                before = candidate;
                candidate = held;
            } else {
                serving = held;
            }
        }
        unload(before);
        return late;
    }

    /** Makes the candidate serve if it is of this slot; empty where neither it nor what serves is. */
    Optional<Flip> flip(SlotId slot) {
        Held before;
        long pauseNanos;
        synchronized (this) {
            Held now = serving;
            Held next = candidate;
            if (now != null && now.is(slot)) {
                return Optional.of(new Flip(0, Optional.of(slot)));
            }
            if (next == null || !next.is(slot)) {
                return Optional.empty();
            }
            candidate = null;
            long began = System.nanoTime();
            before = now;
            serving = next;
            pauseNanos = System.nanoTime() - began;
        }
        unload(before);
        return Optional.of(new Flip(
                (pauseNanos + 999) / 1000,
                Optional.ofNullable(before)
                        .map(held -> held.model().description().slotId())));
    }

    /** Unloads the candidate if it is of this slot, and says what it was. */
    Optional<Slot> discard(SlotId slot) {
        Held gone = takeCandidate(Optional.of(slot));
        unload(gone);
        return Optional.ofNullable(gone).map(held -> held.model().description());
    }

    private synchronized @Nullable Held takeCandidate(Optional<SlotId> only) {
        Held now = candidate;
        if (now == null || !only.map(now::is).orElse(true)) {
            return null;
        }
        candidate = null;
        return now;
    }

    /** Unloads everything, also what is still being loaded. */
    void retire() {
        Held before;
        Held beside;
        synchronized (this) {
            retired = true;
            before = serving;
            beside = candidate;
            serving = null;
            candidate = null;
        }
        unload(before);
        unload(beside);
    }

    /** Retires a lane that holds nothing and loads nothing; false where it does. */
    synchronized boolean retireIfIdle() {
        boolean idle = serving == null && candidate == null && loads == 0;
        retired |= idle;
        return idle;
    }

    /** The memory is free as soon as the last request has ended. */
    private void unload(@Nullable Held held) {
        if (held != null) {
            draining.incrementAndGet();
            held.model().retire(() -> {
                held.memory().release();
                draining.decrementAndGet();
            });
        }
    }

    /** The model that serves, kept loaded for one request; null where none does. */
    @Nullable
    ModelSlot pin() {
        // Between reading the pointer and pinning, the model may have been replaced and unloaded: then look again.
        while (true) {
            Held held = serving;
            if (held == null || held.model().pin()) {
                return held == null ? null : held.model();
            }
        }
    }

    Optional<ModelSlot> serving() {
        return Optional.ofNullable(serving).map(Held::model);
    }

    Optional<ModelSlot> candidate() {
        return Optional.ofNullable(candidate).map(Held::model);
    }

    /** Whether it holds this slot, as its candidate or serving. */
    boolean holds(SlotId slot) {
        Held one = serving;
        Held other = candidate;
        return (one != null && one.is(slot)) || (other != null && other.is(slot));
    }
}
