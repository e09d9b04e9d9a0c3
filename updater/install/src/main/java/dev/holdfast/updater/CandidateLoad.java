package dev.holdfast.updater;

import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Code;
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

    /** Loads {@code slot} and has it pass its gate. */
    void run(Slot slot, InstallState state) throws InstallStop {
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
                        passes(gate.failure().get()) ? InstallStop.Kind.INTERRUPTED : InstallStop.Kind.FAILED,
                        gate.failure().get());
            }
        } catch (IOException e) {
            // It answered just now: loading this model took it away, or it hangs; or loading another one did.
            throw trials.othersLoading(context.model())
                    ? InstallStop.interrupted(Code.INS_CANDIDATE_LOST, "beside another model: " + e.getMessage())
                    : InstallStop.failed(Code.INS_CANDIDATE_LOST, String.valueOf(e.getMessage()));
        } finally {
            trials.end(context.model());
        }
        context.cancellation().requireGoing();
        deadline.require(state);
    }

    /** What only time stands against: memory that others give back, changes that wait, or a process that was told otherwise. */
    private boolean passes(Rejection failure) throws IOException {
        return switch (failure.code()) {
            case API_BUSY, API_NOT_FOUND, INS_SUPERSEDED -> true;
            case INS_MEMORY -> crowded();
            default -> false;
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
