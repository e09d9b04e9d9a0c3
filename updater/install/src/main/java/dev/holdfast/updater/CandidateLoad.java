package dev.holdfast.updater;

import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.List;

/** One load of a release beside the models that serve, in a process that others are loaded into as well. */
final class CandidateLoad {
    private final InstallContext context;
    private List<GateReport.Check> checks = List.of();

    CandidateLoad(InstallContext context) {
        this.context = context;
    }

    /** What the gate found, whether the release passed or not. */
    List<GateReport.Check> checks() {
        return checks;
    }

    /**
     * Loads {@code slot} and has it pass its gate.
     *
     * @param before what the process said just before
     */
    void run(Slot slot, InstallState state, InferenceStatus before) throws IOException, InstallStop {
        Cancellation.Deadline deadline =
                context.cancellation().deadline(context.config().deadlines().state());
        Trials trials = context.sets().trials();
        trials.begin(context.model(), Trials.Stage.LOADING);
        try {
            GateReport gate = context.ports().inference().prepare(slot);
            if (gate.failure().filter(why -> why.code() == Code.INS_MEMORY).isPresent() && !crowded()) {
                // What was in the way may have gone just now.
                gate = context.ports().inference().prepare(slot);
            }
            checks = gate.checks();
            if (gate.failure().isPresent()) {
                throw new InstallStop(
                        kind(slot, gate.failure().get()), gate.failure().get());
            }
        } catch (IOException e) {
            throw lost(state, before, FailureText.of(e));
        } finally {
            trials.end(context.model());
        }
        context.cancellation().requireGoing();
        deadline.require(state);
    }

    /** It answered just now: this model took it away, or another one that was being loaded; or it is there, and only busy. */
    private InstallStop lost(InstallState state, InferenceStatus before, String how) throws InstallStop {
        boolean others = context.sets().trials().othersLoading(context.model());
        if (others) {
            return InstallStop.interrupted(Code.INS_CANDIDATE_LOST, "beside another model: " + how);
        }
        InferenceStatus now = context.awaitInference(state);
        return now.process().equals(before.process())
                ? InstallStop.interrupted(Code.INS_CANDIDATE_LOST, "the inference process is busy: " + how)
                : InstallStop.suspect(Code.INS_CANDIDATE_LOST, "the inference process began anew: " + how);
    }

    /** The gate's judgement on the model fails an order; what stands against it for another reason passes. */
    private InstallStop.Kind kind(Slot slot, Rejection failure) throws IOException {
        return switch (failure.code()) {
            // Memory that others hold, a disk that does not read, changes that wait, or a process that was told
            // otherwise.
            case API_BUSY, API_NOT_FOUND, INS_SUPERSEDED, INS_MEMORY, INS_STORAGE -> InstallStop.Kind.INTERRUPTED;
            case INS_CANDIDATE_LOST, GATE_LOAD_TIME, API_INTERNAL -> InstallStop.Kind.SUSPECT;
            // The file went bad on the disk: it is pulled again.
            case GATE_DIGEST -> context.store().verifies(slot) ? InstallStop.Kind.FAILED : InstallStop.Kind.INTERRUPTED;
            default -> InstallStop.Kind.FAILED;
        };
    }

    /** Whether memory is taken by what goes by itself: a candidate, a model on its way out, or one that an order dropped. */
    private boolean crowded() throws IOException {
        InferenceStatus now = context.ports().inference().status();
        Pointer pointer = context.store().pointer();
        // What the pointer names and does not serve yet is being loaded by a process that starts.
        return now.draining() > 0
                || !now.candidates().isEmpty()
                || !context.sets().leaving().isEmpty()
                || pointer.models().size() > now.serving().size()
                || now.serving().stream().anyMatch(loaded -> !pointer.models().containsKey(loaded.model()));
    }
}
