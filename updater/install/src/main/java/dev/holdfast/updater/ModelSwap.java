package dev.holdfast.updater;

import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The second half of an install: from a staged file to a committed model, or back. The order is write-ahead measurement,
 * register, log, pointer, flip, end of write-ahead: whatever serves was measured before. Belongs to one install, whose trial
 * it remembers.
 */
final class ModelSwap {
    /** Loads and flips into the process that serves, before the model before it is given back to it. */
    private static final int MAX_ATTEMPTS = 3;

    private final InstallContext context;
    private final ProcessWatch process;
    private List<GateReport.Check> checks = List.of();

    ModelSwap(InstallContext context) {
        this.context = context;
        this.process = new ProcessWatch(context);
    }

    /** From STAGED, CANDIDATE, MEASURED or PROBATION to the end. */
    InstallOutcome run(long orderVersion, Slot slot, InstallState from) throws IOException, InstallStop {
        if (from.compareTo(InstallState.MEASURED) < 0) {
            InstallPlan.requireNotWithdrawn(slot, context.ports());
            firstCandidate(orderVersion, slot);
            enter(InstallState.CANDIDATE, orderVersion, slot, "");
            measure(slot);
            enter(InstallState.MEASURED, orderVersion, slot, "");
        }
        try {
            InstallPlan.requireNotWithdrawn(slot, context.ports());
            if (from == InstallState.MEASURED) {
                // The process ended in between: the TEE may have been reset, and recovery measured what served
                // meanwhile.
                measure(slot);
            }
            if (from.compareTo(InstallState.PROBATION) < 0) {
                serve(slot);
            }
            Probation probation = new Probation(context, process, orderVersion, slot);
            while (!probation.passed()) {
                // Whatever the process serves now, this one gets its time again.
                serve(slot);
            }
        } catch (InstallStop stop) {
            // What only time stands against is gone on with; a process that stays away is given its old model first.
            if (stop.kind() == InstallStop.Kind.INTERRUPTED && stop.reason().code() != Code.INS_CANDIDATE_LOST) {
                throw stop;
            }
            return rollBack(orderVersion, slot, stop.reason());
        }
        enter(InstallState.COMMITTED, orderVersion, slot, "");
        raiseFloor(slot);
        context.store().dropQuarantine(replaced());
        return new InstallOutcome.Committed(slot);
    }

    /** Every file of this model but those that it still needs. */
    private Set<Sha256> replaced() {
        Set<Sha256> digests = new HashSet<>();
        context.journal()
                .records(context.model())
                .forEach(record -> digests.add(record.slot().digest()));
        context.store().pointer().slots().forEach(slot -> digests.remove(slot.digest()));
        return digests;
    }

    /** Brings an install to its end that was measured or on its way back when something cut it off; needs no network. */
    InstallOutcome finish(InstallRecord open) throws IOException {
        try {
            if (open.state() == InstallState.ROLLING_BACK) {
                return rollBack(open);
            }
            InstallOutcome outcome = run(open.orderVersion(), open.slot(), open.state());
            context.collect();
            return outcome;
        } catch (InstallStop stop) {
            return new InstallOutcome.Interrupted(open.state(), stop.reason(), stop.until());
        }
    }

    /**
     * A process that is lost while it loads this model alone may have been lost by it, or by something else: it is on record, and the
     * install goes on later. So often under one order, and the model is to blame.
     */
    private void firstCandidate(long orderVersion, Slot slot) throws IOException, InstallStop {
        try {
            candidate(slot, InstallState.STAGED);
        } catch (InstallStop stop) {
            if (stop.kind() != InstallStop.Kind.SUSPECT) {
                throw stop;
            }
            int lost = new OrderHistory(context.journal(), orderVersion, slot.slotId()).losses() + 1;
            if (lost >= OrderHistory.MAX_LOSSES) {
                throw InstallStop.failed(
                        stop.reason().code(), stop.reason().detail() + ", " + lost + " times under this order");
            }
            context.enter(InstallState.STAGED, orderVersion, slot, Optional.of(stop.reason()), "");
            throw new InstallStop(InstallStop.Kind.INTERRUPTED, stop.reason());
        }
    }

    private void candidate(Slot slot, InstallState state) throws IOException, InstallStop {
        InferenceStatus before = process.await(state);
        if (before.serves(slot.slotId())) {
            return;
        }
        CandidateLoad load = new CandidateLoad(context);
        try {
            load.run(slot, state, before);
        } finally {
            checks = load.checks();
        }
    }

    private void measure(Slot slot) throws IOException, InstallStop {
        try {
            context.ports().measurements().beforeServe(slot);
        } catch (TeeException e) {
            // Whatever the TEE says, it says nothing of the model.
            throw InstallStop.interrupted(e.code(), "measurement: " + e.getMessage());
        }
    }

    private void serve(Slot slot) throws IOException, InstallStop {
        if (!context.serves(slot)) {
            context.point(slot, context.serving());
        }
        for (int attempt = 1; !served(slot, attempt == MAX_ATTEMPTS); attempt++) {
            context.cancellation().sleep(context.backoff().pause(attempt));
        }
        afterServe();
    }

    /** False where the process answers and yet lost the model: because another one was being loaded, or because it was busy. */
    private boolean served(Slot slot, boolean last) throws IOException, InstallStop {
        // One that stays away gets its old model back, without further attempts: the pointer names one that may keep it
        // away.
        InferenceStatus status = process.await(InstallState.MEASURED);
        try {
            if (!status.serves(slot.slotId())) {
                if (!status.holds(slot.slotId())) {
                    candidate(slot, InstallState.MEASURED);
                }
                flip(slot);
            }
            return true;
        } catch (InstallStop stop) {
            if (last || stop.reason().code() != Code.INS_CANDIDATE_LOST) {
                throw stop;
            }
            return false;
        }
    }

    /** What a process that answers refuses, it has lost or has no time for: no word of the gate. */
    private void flip(Slot slot) throws InstallStop {
        try {
            if (context.ports().inference().flip(slot.slotId()) instanceof Verdict.Rejected<Flip>(Rejection reason)) {
                throw InstallStop.suspect(Code.INS_CANDIDATE_LOST, "flip: " + reason);
            }
        } catch (IOException e) {
            throw InstallStop.suspect(Code.INS_CANDIDATE_LOST, "flip: " + FailureText.of(e));
        }
    }

    private void afterServe() throws IOException, InstallStop {
        try {
            context.ports().measurements().afterServe(context.model());
        } catch (TeeException e) {
            throw InstallStop.interrupted(e.code(), "measurement: " + e.getMessage());
        }
    }

    /**
     * The floor follows what was committed, never what is on trial: else no way back would be left. A fallback below the
     * new floor goes, since the inference process falls back by itself and knows no floor.
     */
    void raiseFloor(Slot slot) throws IOException, InstallStop {
        try {
            context.ports().epochFloors().raise(slot.model(), slot.epoch());
        } catch (TeeException e) {
            throw InstallStop.interrupted(e.code(), "epoch floor: " + e.getMessage());
        }
        if (context.fallback().filter(f -> f.epoch() < slot.epoch()).isPresent()) {
            context.point(context.serving().orElseThrow(), Optional.empty());
        }
        context.graces().end();
    }

    /** Goes on with a rollback that was cut off. */
    InstallOutcome rollBack(InstallRecord open) throws IOException, InstallStop {
        return rollBack(
                open.orderVersion(),
                open.slot(),
                open.reason().orElse(new Rejection(Code.INS_PROBATION, "the reason was lost")));
    }

    /** Takes {@code slot} out of service for {@code reason} and brings back the model before it. */
    InstallOutcome rollBack(long orderVersion, Slot slot, Rejection reason) throws IOException, InstallStop {
        context.cancellation().reset();
        if (context.unfinished().map(InstallRecord::state).orElse(null) != InstallState.ROLLING_BACK) {
            context.enter(InstallState.ROLLING_BACK, orderVersion, slot, Optional.of(reason), "");
        }
        Optional<Slot> target = context.serves(slot)
                ? context.fallback()
                        .filter(before -> !context.ports().withdrawals().has(before))
                : context.serving();
        String note = "";
        if (target.isPresent()) {
            // Until the flip the failed one serves, and is named: evidence tells no lie meanwhile.
            context.point(target.get(), Optional.of(slot));
            note = bringBack(slot, target.get());
            context.point(target.get(), Optional.empty());
        } else {
            context.store().point(pointer -> pointer.without(context.model()));
            note = "there was no release before it that may serve";
        }
        context.enter(InstallState.ROLLED_BACK, orderVersion, slot, Optional.of(reason), note, trial());
        if (target.isEmpty()) {
            context.forget();
        }
        return new InstallOutcome.RolledBack(slot, reason);
    }

    private String bringBack(Slot failed, Slot target) throws IOException, InstallStop {
        String note = "";
        try {
            context.ports().measurements().rolledBack(failed);
            context.ports().measurements().beforeServe(target);
        } catch (TeeException e) {
            // Service goes first here; the log then lacks the event, and a verifier will say so.
            note = "not measured: " + e.getMessage();
        }
        InferenceStatus status = process.await(InstallState.ROLLING_BACK);
        if (!status.serves(target.slotId())) {
            // One in its grace is loaded, and passed its gate when it was installed.
            if (!status.graces(target.slotId())) {
                candidate(target, InstallState.ROLLING_BACK);
            }
            flip(target);
        }
        status = process.await(InstallState.ROLLING_BACK);
        if (status.holds(failed.slotId())) {
            discardCandidate(failed);
        }
        if (note.isEmpty()) {
            try {
                context.ports().measurements().afterServe(context.model());
            } catch (TeeException e) {
                note = "not measured: " + e.getMessage();
            }
        }
        return note;
    }

    /** Lets the inference process serve what the pointer names, where it does not yet. */
    void align(Slot slot) throws IOException, InstallStop {
        InferenceStatus status = process.await(InstallState.COMMITTED);
        if (!status.serves(slot.slotId())) {
            candidate(slot, InstallState.COMMITTED);
            measure(slot);
            flip(slot);
            afterServe();
        }
    }

    /** What the trial left behind; empty where there is nothing. Waits for the inference process as long as an install does. */
    Optional<TrialLog> trial() {
        List<String> lines = List.of();
        try {
            process.await(InstallState.ROLLING_BACK);
            lines = context.ports().inference().recentLog();
        } catch (IOException | InstallStop e) {
            // The reason is on record without them.
            lines = List.of("the inference process does not tell what it wrote: " + FailureText.of(e));
        }
        TrialLog log = new TrialLog(checks, process.restarts(), lines);
        return log.isEmpty() ? Optional.empty() : Optional.of(log);
    }

    /** Best effort: a candidate that stays loaded costs memory only, and the next one replaces it. */
    void discardCandidate(Slot slot) {
        try {
            context.ports().inference().discard(slot.slotId());
        } catch (IOException e) {
            return;
        }
    }

    private void enter(InstallState state, long orderVersion, Slot slot, String note) throws IOException {
        context.enter(state, orderVersion, slot, Optional.empty(), note);
    }
}
