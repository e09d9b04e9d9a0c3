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
 * each other; nothing else waits for them. A lane that was retired takes nothing in any more: what was still being loaded is
 * unloaded as soon as it is there. Thread-safe.
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

    /** Announces a load, which keeps the lane from being {@link #retireIfIdle}; false where it was retired already. */
    synchronized boolean enter() {
        loads += retired ? 0 : 1;
        return !retired;
    }

    /** Loads a model that was announced, and serves it at once: its canaries passed when it was installed. */
    GateReport serve(Slot slot) {
        return load(slot, false);
    }

    /** Loads a model that was announced, in place of the candidate before it, and puts it to the test. */
    GateReport loadCandidate(Slot slot) {
        return load(slot, true);
    }

    private GateReport load(Slot slot, boolean asCandidate) {
        loading.lock();
        try {
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
            leave();
        }
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
        if (model == null || take(new Held(model, share), asCandidate)) {
            return report;
        }
        Rejection why = new Rejection(Code.API_NOT_FOUND, "the model was retired while it was loaded");
        return new GateReport(Optional.of(why), report.loadMillis(), report.checks());
    }

    private boolean take(Held held, boolean asCandidate) {
        Held before;
        synchronized (this) {
            if (retired) {
                before = held;
            } else if (asCandidate) {
                before = candidate;
                candidate = held;
            } else {
                before = serving;
                serving = held;
            }
        }
        unload(before);
        return before != held;
    }

    private synchronized void leave() {
        loads--;
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

    /** Unloads the candidate if it is of this slot. */
    void discard(SlotId slot) {
        unload(takeCandidate(Optional.of(slot)));
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
        synchronized (this) {
            retired = true;
            before = serving;
            serving = null;
        }
        unload(before);
        unload(takeCandidate(Optional.empty()));
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
