package dev.holdfast.updater;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Makes pointer, journal and inference process agree on a verified model after a start. Every step can be done again. */
final class InstallRecovery {
    private final InstallContext context;
    private final ModelSwap swap;

    InstallRecovery(InstallContext context) {
        this.context = context;
        this.swap = new ModelSwap(context);
    }

    Installer.Recovery run() throws IOException {
        repairPointer();
        Optional<Rejection> pending = Optional.empty();
        try {
            settle();
        } catch (InstallStop stop) {
            pending = Optional.of(stop.reason());
        }
        return new Installer.Recovery(
                context.store().serving(),
                context.journal().unfinished(),
                context.journal().damage(),
                pending);
    }

    /** The pointer must name bytes that hash right; else the fallback, else the last committed model that does. */
    private void repairPointer() throws IOException {
        Optional<Pointer> serving = context.store().serving();
        if (serving.isPresent() && context.store().verifies(serving.get().serving())) {
            return;
        }
        if (serving.isPresent()
                && serving.get().fallback().isPresent()
                && mayServe(serving.get().fallback().get())) {
            Slot damaged = serving.get().serving();
            context.store().point(new Pointer(serving.get().fallback().get(), Optional.empty()));
            Rejection reason = new Rejection(Code.INS_DIGEST, "the stored " + damaged.target() + " is damaged");
            context.enter(
                    InstallState.ROLLED_BACK,
                    context.journal().orderOf(damaged),
                    damaged,
                    Optional.of(reason),
                    "found at start");
            return;
        }
        for (InstallRecord record : context.journal().records().reversed()) {
            if (record.state() == InstallState.COMMITTED && mayServe(record.slot())) {
                context.store().point(new Pointer(record.slot(), Optional.empty()));
                return;
            }
        }
        if (serving.isPresent()) {
            context.store().pointToNothing();
        }
    }

    /** A TEE that does not answer now must not take the last sound model away; the floor is asked again with each order. */
    private boolean mayServe(Slot slot) throws IOException {
        try {
            return context.store().verifies(slot)
                    && slot.epoch() >= context.ports().epochFloor().read();
        } catch (dev.holdfast.tee.TeeException e) {
            return true;
        }
    }

    private void settle() throws IOException, InstallStop {
        Optional<InstallRecord> open = context.journal().unfinished();
        if (open.isPresent() && open.get().state() == InstallState.ROLLING_BACK) {
            swap.rollBack(open.get());
            open = Optional.empty();
        }
        List<InstallRecord> records = context.journal().records();
        if (open.isEmpty() && !records.isEmpty() && records.getLast().state() == InstallState.COMMITTED) {
            swap.raiseFloor(records.getLast().slot());
        }
        if (open.isEmpty()) {
            context.store().collect(Set.of());
        }
        Optional<Pointer> serving = context.store().serving();
        boolean swapping = open.isPresent() && open.get().state().compareTo(InstallState.MEASURED) >= 0;
        if (serving.isPresent() && !swapping) {
            swap.align(serving.get().serving());
        }
    }
}
