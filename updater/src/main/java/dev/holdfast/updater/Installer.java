package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Carries orders out: download, reconstruction, health gate, measurement, swap, probation, and the way back.
 *
 * <p>Each state is entered by one durable journal line and can be entered again, so that a process that was killed
 * anywhere goes on where it was. {@link #install}, {@link #resume}, {@link #recover} and {@link #rollback} exclude each
 * other; {@link #cancel}, {@link #progress} and {@link #history} may be called from any thread. An {@link IOException}
 * means that the device's own disk or event log fails.
 */
public final class Installer {
    private final InstallContext context;
    private final ModelSwap swap;
    private final ReentrantLock turn = new ReentrantLock();
    private volatile @Nullable BlockDownload download;

    private Installer(InstallContext context) {
        this.context = context;
        this.swap = new ModelSwap(context);
    }

    /** Reads the journal; a torn last line is cut off, damage is reported by {@link #recover}. */
    public static Installer open(ModelStore store, InstallerConfig config, InstallerPorts ports) throws IOException {
        InstallJournal journal = InstallJournal.open(store.journal(), store.disk());
        return new Installer(new InstallContext(store, config, ports, journal, new Patience(config)));
    }

    /**
     * What {@link #recover} found.
     *
     * @param serving the verified model that the pointer names now
     * @param unfinished an install that {@link #resume} or the same order continues
     * @param journalDamage {@code INS-JOURNAL} where a line does not hold
     * @param pending what recovery could not do yet, such as reaching the inference process or the TEE
     */
    public record Recovery(
            Optional<Serving> serving,
            Optional<InstallRecord> unfinished,
            Optional<Rejection> journalDamage,
            Optional<Rejection> pending) {}

    /** Makes pointer, journal and inference process agree on a verified model. Call once at start. */
    public Recovery recover() throws IOException {
        turn.lock();
        try {
            context.patience().reset();
            repairPointer();
            Optional<Rejection> pending = Optional.empty();
            try {
                settle();
            } catch (InstallStop stop) {
                pending = Optional.of(stop.reason());
            }
            return new Recovery(
                    context.store().serving(),
                    context.journal().unfinished(),
                    context.journal().damage(),
                    pending);
        } finally {
            turn.unlock();
        }
    }

    /** The pointer must name bytes that hash right; else the fallback, else the last committed model that does. */
    private void repairPointer() throws IOException {
        Optional<Serving> serving = context.store().serving();
        if (serving.isPresent() && context.store().verifies(serving.get().serving())) {
            return;
        }
        if (serving.isPresent()
                && serving.get().fallback().isPresent()
                && context.store().verifies(serving.get().fallback().get())) {
            Slot damaged = serving.get().serving();
            context.store().point(new Serving(serving.get().fallback().get(), Optional.empty()));
            Rejection reason = new Rejection(Code.INS_DIGEST, "the stored " + damaged.target() + " is damaged");
            context.enter(InstallState.ROLLED_BACK, orderOf(damaged), damaged, Optional.of(reason), "found at start");
            return;
        }
        for (InstallRecord record : context.journal().records().reversed()) {
            if (record.state() == InstallState.COMMITTED && context.store().verifies(record.slot())) {
                context.store().point(new Serving(record.slot(), Optional.empty()));
                return;
            }
        }
        if (serving.isPresent()) {
            context.store().pointToNothing();
        }
    }

    private void settle() throws IOException, InstallStop {
        Optional<InstallRecord> open = context.journal().unfinished();
        if (open.isPresent() && open.get().state() == InstallState.ROLLING_BACK) {
            InstallRecord record = open.get();
            swap.rollBack(
                    record.orderVersion(),
                    record.slot(),
                    record.reason().orElse(new Rejection(Code.INS_PROBATION, "the reason was lost")));
            open = Optional.empty();
        }
        List<InstallRecord> records = context.journal().records();
        if (open.isEmpty() && !records.isEmpty() && records.getLast().state() == InstallState.COMMITTED) {
            swap.raiseFloor(records.getLast().slot());
        }
        if (open.isEmpty()) {
            context.store().collect(Set.of());
        }
        Optional<Serving> serving = context.store().serving();
        boolean swapping = open.isPresent() && open.get().state().compareTo(InstallState.MEASURED) >= 0;
        if (serving.isPresent() && !swapping) {
            swap.align(serving.get().serving());
        }
    }

    /** Finishes an install that was measured or on probation when the process ended; needs no network. */
    public Optional<InstallOutcome> resume() throws IOException {
        turn.lock();
        try {
            Optional<InstallRecord> open = context.journal().unfinished();
            if (open.isEmpty() || open.get().state().compareTo(InstallState.MEASURED) < 0) {
                return Optional.empty();
            }
            return Optional.of(finish(open.get()));
        } finally {
            turn.unlock();
        }
    }

    private InstallOutcome finish(InstallRecord open) throws IOException {
        context.patience().reset();
        try {
            if (open.state() == InstallState.ROLLING_BACK) {
                return swap.rollBack(
                        open.orderVersion(),
                        open.slot(),
                        open.reason().orElse(new Rejection(Code.INS_PROBATION, "the reason was lost")));
            }
            InstallOutcome outcome = swap.run(open.orderVersion(), open.slot(), open.state());
            context.store().collect(Set.of());
            return outcome;
        } catch (InstallStop stop) {
            return new InstallOutcome.Interrupted(open.state(), stop.reason());
        }
    }

    /** Carries an order out, or continues it. Blocks until the end; one install at a time. */
    public InstallOutcome install(Order order) throws IOException {
        return install(order, context);
    }

    /** The same from an offline bundle instead of the link. */
    public InstallOutcome install(Order order, OfflineBundle bundle) throws IOException {
        return install(
                bundle.offered(order),
                context.from(bundle, bundle.offers(order.model().file().sha256())));
    }

    private InstallOutcome install(Order order, InstallContext from) throws IOException {
        turn.lock();
        try {
            context.patience().reset();
            Slot slot = order.model().slot();
            Optional<InstallRecord> open = context.journal().unfinished();
            if (open.isPresent() && open.get().state().compareTo(InstallState.MEASURED) >= 0) {
                InstallOutcome outcome = finish(open.get());
                if (open.get().slot().digest().equals(slot.digest()) || outcome instanceof InstallOutcome.Interrupted) {
                    return outcome;
                }
                open = Optional.empty();
            }
            Optional<Serving> serving = context.store().serving();
            if (serving.isPresent() && serving.get().serving().digest().equals(slot.digest())) {
                return new InstallOutcome.Unchanged(serving.get().serving());
            }
            if (failedBefore(order)) {
                return new InstallOutcome.Failed(
                        new Rejection(Code.INS_FAILED_BEFORE, "order " + order.version() + ": " + slot));
            }
            if (open.isPresent() && !open.get().slot().digest().equals(slot.digest())) {
                context.enter(
                        InstallState.FAILED,
                        open.get().orderVersion(),
                        open.get().slot(),
                        Optional.of(new Rejection(Code.INS_CANCELLED, "superseded by order " + order.version())),
                        "");
                open = Optional.empty();
            }
            return forward(order, open, from);
        } finally {
            turn.unlock();
        }
    }

    /** A file that went bad on the disk afterwards (ROLLED_BACK with INS-DIGEST) is not the order's fault. */
    private boolean failedBefore(Order order) {
        return context.journal().records().stream()
                .anyMatch(r -> r.orderVersion() == order.version()
                        && (r.state() == InstallState.FAILED || r.state() == InstallState.ROLLED_BACK)
                        && !(r.state() == InstallState.ROLLED_BACK
                                && r.reason().map(Rejection::code).equals(Optional.of(Code.INS_DIGEST)))
                        && r.slot().digest().equals(order.model().file().sha256()));
    }

    private InstallOutcome forward(Order order, Optional<InstallRecord> open, InstallContext context)
            throws IOException {
        Slot slot = order.model().slot();
        BlockDownload blocks =
                new BlockDownload(context.store(), context.ports().blocks(), context.config(), context.patience());
        download = blocks;
        try {
            InstallState from = open.map(InstallRecord::state).orElse(InstallState.ANNOUNCED);
            if (open.isEmpty() || open.get().orderVersion() != order.version()) {
                context.enter(InstallState.ANNOUNCED, order.version(), slot, Optional.empty(), "");
            }
            InstallPlan.requireCompatible(order.model(), context.config(), context.ports());
            if (from.compareTo(InstallState.STAGED) < 0 || !context.store().verifies(slot)) {
                new ModelFetch(context, blocks).run(order, deltaAllowed(order));
            }
            InstallOutcome outcome = swap.run(order.version(), slot, InstallState.STAGED);
            context.store().collect(Set.of());
            return outcome;
        } catch (InstallStop stop) {
            return stopped(order, stop);
        } catch (StorageException e) {
            return stopped(order, InstallStop.failed(Code.INS_DISK, String.valueOf(e.getMessage())));
        }
    }

    private InstallOutcome stopped(Order order, InstallStop stop) throws IOException {
        InstallState state =
                context.journal().unfinished().map(InstallRecord::state).orElse(InstallState.COMMITTED);
        if (stop.kind() == InstallStop.Kind.INTERRUPTED || state.compareTo(InstallState.MEASURED) >= 0) {
            return new InstallOutcome.Interrupted(state, stop.reason());
        }
        Slot slot = order.model().slot();
        context.enter(InstallState.FAILED, order.version(), slot, Optional.of(stop.reason()), "");
        context.store().collect(Set.of());
        swap.discardCandidate(slot);
        return new InstallOutcome.Failed(stop.reason());
    }

    /** Not after this install turned from a delta to the whole model. */
    private boolean deltaAllowed(Order order) {
        String lastPlan = "";
        boolean triedDelta = false;
        for (InstallRecord record : context.journal().records()) {
            if (record.state() == InstallState.PLANNED
                    && record.orderVersion() == order.version()
                    && record.slot().digest().equals(order.model().file().sha256())) {
                lastPlan = record.note();
                triedDelta |= !lastPlan.startsWith(InstallPlan.FULL);
            }
        }
        return !(triedDelta && lastPlan.startsWith(InstallPlan.FULL));
    }

    /** Goes back to the fallback model because the operator says so; its order is not carried out again. */
    public InstallOutcome rollback() throws IOException {
        turn.lock();
        try {
            context.patience().reset();
            Optional<Serving> serving = context.store().serving();
            Optional<Slot> fallback = serving.flatMap(Serving::fallback);
            if (serving.isEmpty() || fallback.isEmpty()) {
                return new InstallOutcome.Failed(new Rejection(Code.INS_NO_FALLBACK, "there is only one model"));
            }
            if (!context.store().verifies(fallback.get())) {
                return new InstallOutcome.Failed(
                        new Rejection(Code.INS_DIGEST, fallback.get().target()));
            }
            Slot leaving = serving.get().serving();
            try {
                InstallPlan.requireEpoch(fallback.get(), context.ports());
                Rejection reason = new Rejection(Code.INS_ROLLBACK_ASKED, "by the operator");
                return swap.rollBack(orderOf(leaving), leaving, reason);
            } catch (InstallStop stop) {
                return context.journal().unfinished().isPresent()
                        ? new InstallOutcome.Interrupted(InstallState.ROLLING_BACK, stop.reason())
                        : new InstallOutcome.Failed(stop.reason());
            }
        } finally {
            turn.unlock();
        }
    }

    private long orderOf(Slot slot) {
        return context.journal().records().reversed().stream()
                .filter(r -> r.slot().digest().equals(slot.digest()))
                .findFirst()
                .map(InstallRecord::orderVersion)
                .orElse(0L);
    }

    /** Stops the running install at the next safe point: before the swap it fails, on probation it is rolled back. */
    public void cancel() {
        context.patience().cancel();
    }

    /** All records, oldest first. */
    public List<InstallRecord> history() {
        return context.journal().records();
    }

    /** Where the running or last install of this process stands; empty where there was none. */
    public Optional<InstallProgress> progress() {
        BlockDownload current = download;
        List<InstallRecord> records = context.journal().records();
        return current == null || records.isEmpty()
                ? Optional.empty()
                : Optional.of(current.progress(records.getLast().state()));
    }
}
