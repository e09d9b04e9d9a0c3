package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * The way back that the operator asks for. What an install under way did when it heard of the rollback is in the journal
 * already; what is left of it ends here.
 */
final class OperatorRollback {
    private final InstallContext context;
    private final Rejection reason;

    OperatorRollback(InstallContext context, Rejection reason) {
        this.context = context;
        this.reason = reason;
    }

    /** {@code known} is the number of the model's last journal record when the operator asked; 0 where there was none. */
    InstallOutcome run(long known) throws IOException {
        List<InstallRecord> records = context.journal().records(context.model());
        if (!records.isEmpty()
                && records.getLast().sequence() > known
                && records.getLast().state() == InstallState.ROLLED_BACK
                && records.getLast().reason().equals(Optional.of(reason))) {
            return new InstallOutcome.RolledBack(records.getLast().slot(), reason);
        }
        Optional<InstallRecord> open = context.unfinished();
        if (open.isPresent() && open.get().state() == InstallState.ROLLING_BACK) {
            return new ModelSwap(context).finish(open.get());
        }
        Optional<Slot> serving = context.serving();
        Optional<Slot> fallback = context.fallback();
        if (serving.isEmpty() || fallback.isEmpty()) {
            return new InstallOutcome.Failed(
                    new Rejection(Code.INS_NO_FALLBACK, "there is only one release of " + context.model()));
        }
        if (!context.store().verifies(fallback.get())) {
            return new InstallOutcome.Failed(
                    new Rejection(Code.INS_DIGEST, fallback.get().target()));
        }
        return leave(serving.get(), fallback.get(), open);
    }

    private InstallOutcome leave(Slot leaving, Slot fallback, Optional<InstallRecord> open) throws IOException {
        try {
            InstallPlan.requireEpoch(fallback, context.ports());
            InstallPlan.requireNotWithdrawn(fallback, context.ports());
            if (open.isPresent() && !open.get().slot().slotId().equals(leaving.slotId())) {
                context.enter(
                        InstallState.FAILED,
                        open.get().orderVersion(),
                        open.get().slot(),
                        Optional.of(reason),
                        "");
            }
            return new ModelSwap(context).rollBack(context.journal().orderOf(leaving), leaving, reason);
        } catch (InstallStop stop) {
            return context.unfinished().isPresent()
                    ? new InstallOutcome.Interrupted(InstallState.ROLLING_BACK, stop.reason(), stop.until())
                    : new InstallOutcome.Failed(stop.reason());
        }
    }
}
