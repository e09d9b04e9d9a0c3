package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.Optional;

/** Makes journal, inference process and pointer agree about one model after a start. Every step can be done again. */
final class InstallRecovery {
    private final InstallContext context;
    private final ModelSwap swap;

    InstallRecovery(InstallContext context) {
        this.context = context;
        this.swap = new ModelSwap(context);
    }

    /** What could not be done yet. */
    Optional<Rejection> settle() throws IOException {
        try {
            Optional<InstallRecord> open = context.unfinished();
            if (open.isPresent() && open.get().state() == InstallState.ROLLING_BACK) {
                swap.rollBack(open.get());
                open = Optional.empty();
            }
            Optional<Slot> serving = context.serving();
            if (open.isEmpty()) {
                if (serving.isPresent() && wasCommitted(serving.get())) {
                    swap.raiseFloor(serving.get());
                }
                context.collect();
            }
            boolean swapping = open.isPresent() && open.get().state().compareTo(InstallState.MEASURED) >= 0;
            if (serving.isPresent() && !swapping) {
                swap.align(serving.get());
            }
            // A model that nothing here names may still be loaded, and be in the log, where its end was cut off.
            return serving.isPresent() || open.isPresent() ? Optional.empty() : context.forget();
        } catch (InstallStop stop) {
            return Optional.of(stop.reason());
        }
    }

    private boolean wasCommitted(Slot slot) {
        return context.journal().records(context.model()).stream()
                .anyMatch(record -> record.state() == InstallState.COMMITTED
                        && record.slot().slotId().equals(slot.slotId()));
    }
}
