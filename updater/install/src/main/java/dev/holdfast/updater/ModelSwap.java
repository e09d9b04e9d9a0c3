package dev.holdfast.updater;

import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
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
    /** A model whose probation was cut off this often by restarts of the device is suspect. */
    private static final int MAX_PROBATIONS = 3;

    private final InstallContext context;
    private List<GateReport.Check> checks = List.of();
    private Optional<InferenceStatus> lastSeen = Optional.empty();
    private int restarts;

    ModelSwap(InstallContext context) {
        this.context = context;
    }

    /** From STAGED, CANDIDATE, MEASURED or PROBATION to the end. */
    InstallOutcome run(long orderVersion, Slot slot, InstallState from) throws IOException, InstallStop {
        if (from.compareTo(InstallState.MEASURED) < 0) {
            candidate(slot, InstallState.STAGED);
            enter(InstallState.CANDIDATE, orderVersion, slot, "");
            measure(slot);
            enter(InstallState.MEASURED, orderVersion, slot, "");
        }
        try {
            if (from == InstallState.MEASURED) {
                // The process ended in between: the TEE may have been reset, and recovery measured what served
                // meanwhile.
                measure(slot);
            }
            if (from.compareTo(InstallState.PROBATION) < 0) {
                serve(slot);
            }
            while (!onProbation(orderVersion, slot)) {
                // Another model may have taken the process away: whatever it serves now, this one gets its time again.
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
            return new InstallOutcome.Interrupted(open.state(), stop.reason());
        }
    }

    private void candidate(Slot slot, InstallState state) throws InstallStop {
        InferenceStatus before = await(state);
        if (before.serves(slot.slotId())) {
            return;
        }
        CandidateLoad load = new CandidateLoad(context);
        try {
            load.run(slot, state);
        } finally {
            checks = load.checks();
        }
    }

    private void measure(Slot slot) throws IOException, InstallStop {
        try {
            context.ports().measurements().beforeServe(slot);
        } catch (TeeException e) {
            // A TEE that is away, or a log that is full until the next start, is no fault of the model.
            throw e.code() == Code.TEE_UNAVAILABLE
                    ? InstallStop.interrupted(e.code(), "measurement: " + e.getMessage())
                    : InstallStop.failed(e.code(), "measurement: " + e.getMessage());
        }
    }

    private void serve(Slot slot) throws IOException, InstallStop {
        if (!context.serves(slot)) {
            context.point(slot, context.serving());
        }
        for (int attempt = 1; ; attempt++) {
            try {
                InferenceStatus status = await(InstallState.MEASURED);
                if (!status.serves(slot.slotId())) {
                    if (!status.holds(slot.slotId())) {
                        candidate(slot, InstallState.MEASURED);
                    }
                    flip(slot);
                }
                break;
            } catch (InstallStop stop) {
                // The process may have gone because another model was being loaded.
                if (stop.reason().code() != Code.INS_CANDIDATE_LOST
                        || attempt == MAX_PROBATIONS
                        || !context.sets().trials().othersOnTrial(context.model())) {
                    throw stop;
                }
            }
        }
        afterServe();
    }

    private void flip(Slot slot) throws InstallStop {
        try {
            if (context.ports().inference().flip(slot.slotId()) instanceof Verdict.Rejected<Flip>(Rejection reason)) {
                throw new InstallStop(InstallStop.Kind.FAILED, reason);
            }
        } catch (IOException e) {
            throw InstallStop.failed(Code.INS_CANDIDATE_LOST, "flip: " + e.getMessage());
        }
    }

    private void afterServe() throws IOException, InstallStop {
        try {
            context.ports().measurements().afterServe(context.model());
        } catch (TeeException e) {
            throw InstallStop.failed(e.code(), "measurement: " + e.getMessage());
        }
    }

    /** Whether it passed; false where the process went away and another model may be to blame. */
    private boolean onProbation(long orderVersion, Slot slot) throws IOException, InstallStop {
        long begun = context.journal().records(context.model()).stream()
                .filter(r -> r.state() == InstallState.PROBATION
                        && r.orderVersion() == orderVersion
                        && r.slot().slotId().equals(slot.slotId()))
                .count();
        if (begun >= MAX_PROBATIONS) {
            throw InstallStop.failed(Code.INS_PROBATION, "cut off " + begun + " times");
        }
        Trials trials = context.sets().trials();
        trials.begin(context.model(), Trials.Stage.PROBATION);
        try {
            InferenceStatus baseline = await(InstallState.PROBATION);
            if (!baseline.serves(slot.slotId())) {
                throw InstallStop.failed(Code.INS_PROBATION, "another release serves");
            }
            enter(InstallState.PROBATION, orderVersion, slot, "");
            Optional<String> gone = watch(slot, baseline);
            if (gone.isPresent() && !trials.othersOnTrial(context.model())) {
                throw InstallStop.failed(Code.INS_PROBATION, gone.get());
            }
            return gone.isEmpty();
        } finally {
            trials.end(context.model());
        }
    }

    /** Empty where it served to the end; else how the process went away, which need not be this model's fault. */
    private Optional<String> watch(Slot slot, InferenceStatus baseline) throws InstallStop {
        Cancellation.Deadline end =
                context.cancellation().deadline(context.config().probation().lasts());
        do {
            context.cancellation().sleep(context.config().probation().check());
            InferenceStatus status;
            try {
                status = seen(context.ports().inference().status());
            } catch (IOException e) {
                return Optional.of("no answer: " + e.getMessage());
            }
            if (!status.process().equals(baseline.process())) {
                return Optional.of("the inference process was restarted");
            }
            if (!status.serves(slot.slotId())) {
                throw InstallStop.failed(Code.INS_PROBATION, "another release serves");
            }
        } while (!end.passed());
        return Optional.empty();
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
        Optional<Slot> target = context.serves(slot) ? context.fallback() : context.serving();
        String note = "";
        if (target.isPresent()) {
            // Until the flip the failed one serves, and is named: evidence tells no lie meanwhile.
            context.point(target.get(), Optional.of(slot));
            note = bringBack(slot, target.get());
            context.point(target.get(), Optional.empty());
        } else {
            context.store().point(pointer -> pointer.without(context.model()));
            note = "there was no release before it";
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
        InferenceStatus status = await(InstallState.ROLLING_BACK);
        if (!status.serves(target.slotId())) {
            candidate(target, InstallState.ROLLING_BACK);
            flip(target);
        }
        status = await(InstallState.ROLLING_BACK);
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
        InferenceStatus status = await(InstallState.COMMITTED);
        if (!status.serves(slot.slotId())) {
            candidate(slot, InstallState.COMMITTED);
            measure(slot);
            flip(slot);
            afterServe();
        }
    }

    private InferenceStatus await(InstallState state) throws InstallStop {
        return seen(context.awaitInference(state));
    }

    private InferenceStatus seen(InferenceStatus status) {
        if (lastSeen.isPresent() && !lastSeen.get().process().equals(status.process())) {
            restarts++;
        }
        lastSeen = Optional.of(status);
        return status;
    }

    /** What the trial left behind; empty where there is nothing. Waits for the inference process as long as an install does. */
    Optional<TrialLog> trial() {
        List<String> lines = List.of();
        try {
            await(InstallState.ROLLING_BACK);
            lines = context.ports().inference().recentLog();
        } catch (IOException | InstallStop e) {
            // The reason is on record without them.
            lines = List.of("the inference process does not tell what it wrote: " + e.getMessage());
        }
        TrialLog log = new TrialLog(checks, restarts, lines);
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
