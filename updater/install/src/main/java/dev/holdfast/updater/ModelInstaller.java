package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.storage.DiskException;
import dev.holdfast.trust.bundle.OfflineBundle;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** The installs of one model, one at a time; what a caller may ask is in {@link Installer}. Thread-safe. */
final class ModelInstaller {
    private volatile InstallContext context;
    private final ReentrantLock turn = new ReentrantLock();
    private volatile @Nullable BlockDownload download;

    ModelInstaller(InstallContext context) {
        this.context = context;
    }

    /** Holds for operations that begin from now on. */
    void reconfigure(InstallerConfig other) {
        context = context.with(other);
    }

    /** A cancel is meant for the operation that it finds, or for none. */
    private void end() {
        context.cancellation().reset();
        turn.unlock();
    }

    Optional<Rejection> settle() throws IOException {
        turn.lock();
        try {
            return new InstallRecovery(context).settle();
        } finally {
            end();
        }
    }

    Optional<InstallOutcome> finishPending() throws IOException {
        turn.lock();
        try {
            Optional<InstallRecord> open = context.unfinished();
            if (open.isEmpty() || open.get().state().compareTo(InstallState.MEASURED) < 0) {
                return Optional.empty();
            }
            return Optional.of(new ModelSwap(context).finish(open.get()));
        } finally {
            end();
        }
    }

    InstallOutcome install(ModelOrder order, BooleanSupplier wanted) throws IOException {
        return install(order, context.within(order.rollout()), wanted);
    }

    InstallOutcome install(ModelOrder order, OfflineBundle bundle) throws IOException {
        InstallContext from =
                context.from(bundle, bundle.offers(order.model().file().sha256()));
        return install(order, from, () -> true);
    }

    private InstallOutcome install(ModelOrder order, InstallContext from, BooleanSupplier wanted) throws IOException {
        turn.lock();
        try {
            if (!wanted.getAsBoolean()) {
                return new InstallOutcome.Interrupted(
                        InstallState.ANNOUNCED, new Rejection(Code.INS_SUPERSEDED, "something else is wanted by now"));
            }
            Slot slot = TargetSlot.of(order.model());
            Optional<InstallRecord> open = context.unfinished();
            if (open.isPresent() && open.get().state().compareTo(InstallState.MEASURED) >= 0) {
                InstallOutcome outcome = new ModelSwap(context).finish(open.get());
                if (open.get().slot().slotId().equals(slot.slotId()) || outcome instanceof InstallOutcome.Interrupted) {
                    return outcome;
                }
                open = Optional.empty();
            }
            // Before the swap, which then leaves loaded what stays.
            context.graces().want(order);
            if (context.serves(slot)) {
                if (context.journal().orderOf(slot) != order.version()) {
                    // What serves is what this wish says from now on, also for whoever takes it back.
                    context.enter(InstallState.COMMITTED, order.version(), slot, Optional.empty(), "serves already");
                }
                return new InstallOutcome.Unchanged(slot);
            }
            if (new OrderHistory(context.journal(), order)
                    .failed(InstallPlan.unable(order, context.config().device()).isEmpty())) {
                return new InstallOutcome.Failed(
                        new Rejection(Code.INS_FAILED_BEFORE, "order " + order.version() + ": " + slot));
            }
            if (open.isPresent() && !open.get().slot().slotId().equals(slot.slotId())) {
                context.enter(
                        InstallState.FAILED,
                        open.get().orderVersion(),
                        open.get().slot(),
                        Optional.of(new Rejection(Code.INS_SUPERSEDED, "by order " + order.version())),
                        "");
                open = Optional.empty();
            }
            if (context.journal().isPaused()) {
                return new InstallOutcome.Interrupted(
                        open.map(InstallRecord::state).orElse(InstallState.ANNOUNCED),
                        new Rejection(Code.INS_PAUSED, "paused by the operator"));
            }
            return forward(order, open, from);
        } finally {
            end();
        }
    }

    private InstallOutcome forward(ModelOrder order, Optional<InstallRecord> open, InstallContext context)
            throws IOException {
        Slot slot = TargetSlot.of(order.model());
        BlockDownload blocks = new BlockDownload(context);
        download = blocks;
        ModelSwap swap = new ModelSwap(context);
        try {
            InstallState from = open.map(InstallRecord::state).orElse(InstallState.ANNOUNCED);
            if (open.isEmpty() || open.get().orderVersion() != order.version()) {
                context.begin(order.version(), slot);
            }
            context.store().hold(context.model(), order.digests());
            InstallPlan.requireCompatible(order, context);
            requireTime(context, order.rollout().begins(order.device()), "begin");
            boolean staged = from.compareTo(InstallState.STAGED) >= 0;
            if (staged) {
                requireWindow(context, order);
            }
            if (!staged || !context.store().verifies(slot)) {
                new ModelFetch(context, blocks).run(order, new OrderHistory(context.journal(), order).mayUseDelta());
                requireWindow(context, order);
            }
            InstallOutcome outcome = swap.run(order.version(), slot, InstallState.STAGED);
            context.collect();
            if (context.sets().wantsAsDefault(context.model())) {
                context.store().point(pointer -> pointer.withDefault(context.model()));
                context.sets().tell();
            }
            return outcome;
        } catch (InstallStop stop) {
            return stopped(order, stop, swap);
        } catch (DiskException e) {
            return stopped(
                    order,
                    e.isInterrupt()
                            ? InstallStop.interrupted(Code.INS_CANCELLED, "the agent is stopping")
                            : new InstallStop(InstallStop.Kind.INTERRUPTED, e.reason()),
                    swap);
        }
    }

    private static void requireWindow(InstallContext context, ModelOrder order) throws InstallStop {
        requireTime(context, order.rollout().swaps(context.ports().clock().instant()), "swap");
    }

    private static void requireTime(InstallContext context, Instant from, String what) throws InstallStop {
        if (context.ports().clock().instant().isBefore(from)) {
            throw InstallStop.waiting(Code.INS_WAITING, "may " + what + " from " + from, from);
        }
    }

    private InstallOutcome stopped(ModelOrder order, InstallStop stop, ModelSwap swap) throws IOException {
        InstallState state = context.unfinished().map(InstallRecord::state).orElse(InstallState.COMMITTED);
        if (stop.kind() == InstallStop.Kind.INTERRUPTED || state.compareTo(InstallState.MEASURED) >= 0) {
            return new InstallOutcome.Interrupted(state, stop.reason(), stop.until());
        }
        Slot slot = TargetSlot.of(order.model());
        Optional<TrialLog> trial = state.compareTo(InstallState.STAGED) >= 0 ? swap.trial() : Optional.empty();
        context.enter(InstallState.FAILED, order.version(), slot, Optional.of(stop.reason()), "", trial);
        context.collect();
        swap.discardCandidate(slot);
        return new InstallOutcome.Failed(stop.reason());
    }

    InstallOutcome rollback(String why) throws IOException {
        return rollback(
                new Rejection(Code.INS_ROLLBACK_ASKED, why.isEmpty() ? "by the operator" : "by the operator: " + why));
    }

    /**
     * Goes back from a release that was withdrawn, and forgets one that it could fall back to.
     *
     * @return why a release that was withdrawn serves on; empty where none does
     */
    Optional<Rejection> leaveWithdrawn() throws IOException {
        Withdrawals withdrawals = context.ports().withdrawals();
        Optional<Slot> serving = context.serving();
        Optional<Slot> fallback = context.fallback();
        if (serving.isPresent() && fallback.filter(withdrawals::has).isPresent()) {
            turn.lock();
            try {
                // The inference process falls back by itself, and knows of no withdrawal.
                context.point(
                        context.serving().orElseThrow(), context.fallback().filter(one -> !withdrawals.has(one)));
            } finally {
                end();
            }
        }
        if (serving.filter(withdrawals::has).isEmpty()) {
            return Optional.empty();
        }
        Rejection why = new Rejection(Code.UPD_WITHDRAWN, serving.get().target() + " was withdrawn");
        if (context.fallback().isEmpty()) {
            return Optional.of(new Rejection(
                    Code.UPD_WITHDRAWN,
                    why.detail() + " and serves on: there is no other release until one is ordered"));
        }
        return rollback(why) instanceof InstallOutcome.RolledBack ? Optional.empty() : Optional.of(why);
    }

    private InstallOutcome rollback(Rejection reason) throws IOException {
        List<InstallRecord> records = context.journal().records(context.model());
        long known = records.isEmpty() ? 0 : records.getLast().sequence();
        context.cancellation().cancel(reason);
        turn.lock();
        try {
            context.cancellation().reset();
            return new OperatorRollback(context, reason).run(known);
        } finally {
            end();
        }
    }

    Optional<Rejection> retire(long orderVersion) throws IOException {
        context.cancellation()
                .cancel(new Rejection(Code.INS_SUPERSEDED, "order " + orderVersion + " names the model no more"));
        turn.lock();
        try {
            context.cancellation().reset();
            Optional<Slot> leaving =
                    context.serving().or(() -> context.unfinished().map(InstallRecord::slot));
            if (leaving.isPresent()) {
                // First of all, so that nothing brings back a model whose pointer is found damaged.
                context.enter(InstallState.RETIRED, orderVersion, leaving.get(), Optional.empty(), "");
                context.store().point(pointer -> pointer.without(context.model()));
                context.collect();
            }
            return context.forget();
        } finally {
            end();
        }
    }

    void cancel(Rejection why) {
        if (turn.isLocked()) {
            context.cancellation().cancel(why);
        }
    }

    void supersede(long orderVersion) {
        if (turn.isLocked()) {
            context.cancellation()
                    .putOff(new Rejection(Code.INS_SUPERSEDED, "order " + orderVersion + " takes its place"));
        }
    }

    void pause(boolean on) {
        context.cancellation().pause(on);
    }

    void stop() {
        context.cancellation().stop();
    }

    StoreScrub.Checked repair(Slot slot, Optional<ModelTarget> listed) throws IOException {
        turn.lock();
        try {
            return new StoreRepair(context).run(slot, listed);
        } finally {
            end();
        }
    }

    Optional<InstallProgress> progress() {
        BlockDownload current = download;
        var records = context.journal().records(context.model());
        return current == null || records.isEmpty()
                ? Optional.empty()
                : Optional.of(current.progress(records.getLast().state()));
    }
}
