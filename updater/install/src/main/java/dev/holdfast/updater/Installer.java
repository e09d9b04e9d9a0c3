package dev.holdfast.updater;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.trust.bundle.OfflineBundle;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.time.Instant;
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
 * other; the rest may be called from any thread. An {@link IOException}
 * means that the device's own disk or event log fails.
 */
public final class Installer {
    private final InstallContext context;
    private final ReentrantLock turn = new ReentrantLock();
    private volatile @Nullable BlockDownload download;
    /** The order under way; 0 where there is none. */
    private volatile long running;
    /** A hint is anybody's word: each number puts off once. */
    private volatile long lastAnnounced;

    private Installer(InstallContext context) {
        this.context = context;
        context.patience().hold(isHeld());
    }

    /** Reads the journal; a torn last line is cut off, damage is reported by {@link #recover}. */
    public static Installer open(ModelStore store, InstallerConfig config, InstallerPorts ports) throws IOException {
        return open(store, config, ports, Timer.SYSTEM);
    }

    static Installer open(ModelStore store, InstallerConfig config, InstallerPorts ports, Timer timer)
            throws IOException {
        InstallJournal journal = InstallJournal.open(store.journal(), store.disk());
        return new Installer(new InstallContext(store, config, ports, journal, new Patience(config, timer)));
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
            Optional<Pointer> serving,
            Optional<InstallRecord> unfinished,
            Optional<Rejection> journalDamage,
            Optional<Rejection> pending) {}

    /** Makes pointer, journal and inference process agree on a verified model. Call once at start. */
    public Recovery recover() throws IOException {
        turn.lock();
        try {
            return new InstallRecovery(context).run();
        } finally {
            end();
        }
    }

    /** A cancel is meant for the operation that it finds, or for none. */
    private void end() {
        context.patience().reset();
        turn.unlock();
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
            end();
        }
    }

    private InstallOutcome finish(InstallRecord open) throws IOException {
        ModelSwap swap = new ModelSwap(context);
        try {
            if (open.state() == InstallState.ROLLING_BACK) {
                return swap.rollBack(open);
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
        return install(order, context.within(order.rollout()));
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
            Slot slot = TargetSlot.of(order.model());
            Optional<InstallRecord> open = context.journal().unfinished();
            if (open.isPresent() && open.get().state().compareTo(InstallState.MEASURED) >= 0) {
                InstallOutcome outcome = finish(open.get());
                if (open.get().slot().digest().equals(slot.digest()) || outcome instanceof InstallOutcome.Interrupted) {
                    return outcome;
                }
                open = Optional.empty();
            }
            Optional<Pointer> serving = context.store().serving();
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
                        Optional.of(new Rejection(Code.INS_SUPERSEDED, "by order " + order.version())),
                        "");
                open = Optional.empty();
            }
            if (isHeld()) {
                return new InstallOutcome.Interrupted(
                        open.map(InstallRecord::state).orElse(InstallState.ANNOUNCED),
                        new Rejection(Code.INS_PAUSED, "paused by the operator"));
            }
            running = order.version();
            return forward(order, open, from);
        } finally {
            running = 0;
            end();
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
        Slot slot = TargetSlot.of(order.model());
        BlockDownload blocks =
                new BlockDownload(context.store(), context.ports().blocks(), context.config(), context.patience());
        download = blocks;
        ModelSwap swap = new ModelSwap(context);
        try {
            InstallState from = open.map(InstallRecord::state).orElse(InstallState.ANNOUNCED);
            if (open.isEmpty() || open.get().orderVersion() != order.version()) {
                context.enter(InstallState.ANNOUNCED, order.version(), slot, Optional.empty(), "");
            }
            InstallPlan.requireCompatible(order.model(), context.config(), context.ports());
            requireTime(context, order.rollout().begins(order.device()), "begin");
            boolean staged = from.compareTo(InstallState.STAGED) >= 0;
            if (staged) {
                requireWindow(context, order);
            }
            if (!staged || !context.store().verifies(slot)) {
                new ModelFetch(context, blocks).run(order, deltaAllowed(order));
                requireWindow(context, order);
            }
            InstallOutcome outcome = swap.run(order.version(), slot, InstallState.STAGED);
            context.store().collect(Set.of());
            return outcome;
        } catch (InstallStop stop) {
            return stopped(order, stop, swap);
        } catch (StorageException e) {
            if (e.getCause() instanceof ClosedByInterruptException) {
                return stopped(order, InstallStop.interrupted(Code.INS_CANCELLED, "the agent is stopping"), swap);
            }
            return stopped(order, InstallStop.failed(Code.INS_DISK, String.valueOf(e.getMessage())), swap);
        }
    }

    private static void requireWindow(InstallContext context, Order order) throws InstallStop {
        requireTime(context, order.rollout().swaps(context.ports().clock().instant()), "swap");
    }

    private static void requireTime(InstallContext context, Instant from, String what) throws InstallStop {
        if (context.ports().clock().instant().isBefore(from)) {
            throw InstallStop.interrupted(Code.INS_WAITING, "may " + what + " from " + from);
        }
    }

    private InstallOutcome stopped(Order order, InstallStop stop, ModelSwap swap) throws IOException {
        InstallState state =
                context.journal().unfinished().map(InstallRecord::state).orElse(InstallState.COMMITTED);
        if (stop.kind() == InstallStop.Kind.INTERRUPTED || state.compareTo(InstallState.MEASURED) >= 0) {
            return new InstallOutcome.Interrupted(state, stop.reason());
        }
        Slot slot = TargetSlot.of(order.model());
        Optional<TrialLog> trial = state.compareTo(InstallState.STAGED) >= 0 ? swap.trial() : Optional.empty();
        context.enter(InstallState.FAILED, order.version(), slot, Optional.of(stop.reason()), "", trial);
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

    /**
     * Goes back to the fallback model because the operator says so. An install under way ends with it: before its swap it
     * fails, on probation it is what is rolled back. Its order is not carried out again.
     *
     * @param why the operator's words, for the journal and the device's report; may be empty
     */
    public InstallOutcome rollback(String why) throws IOException {
        Rejection reason =
                new Rejection(Code.INS_ROLLBACK_ASKED, why.isEmpty() ? "by the operator" : "by the operator: " + why);
        int known = context.journal().records().size();
        context.patience().cancel(reason);
        turn.lock();
        try {
            context.patience().reset();
            return rollback(reason, known);
        } finally {
            end();
        }
    }

    private InstallOutcome rollback(Rejection reason, int known) throws IOException {
        List<InstallRecord> records = context.journal().records();
        if (records.size() > known
                && records.getLast().state() == InstallState.ROLLED_BACK
                && records.getLast().reason().equals(Optional.of(reason))) {
            return new InstallOutcome.RolledBack(records.getLast().slot(), reason);
        }
        Optional<InstallRecord> open = context.journal().unfinished();
        if (open.isPresent() && open.get().state() == InstallState.ROLLING_BACK) {
            return finish(open.get());
        }
        Optional<Pointer> serving = context.store().serving();
        Optional<Slot> fallback = serving.flatMap(Pointer::fallback);
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
            if (open.isPresent() && !open.get().slot().digest().equals(leaving.digest())) {
                context.enter(
                        InstallState.FAILED,
                        open.get().orderVersion(),
                        open.get().slot(),
                        Optional.of(reason),
                        "");
            }
            return new ModelSwap(context).rollBack(context.journal().orderOf(leaving), leaving, reason);
        } catch (InstallStop stop) {
            return context.journal().unfinished().isPresent()
                    ? new InstallOutcome.Interrupted(InstallState.ROLLING_BACK, stop.reason())
                    : new InstallOutcome.Failed(stop.reason());
        }
    }

    /** Ends the running install at the next safe point: before the swap it fails, on probation it is rolled back. */
    public void cancel() {
        if (turn.isLocked()) {
            context.patience().cancel(new Rejection(Code.INS_CANCELLED, "cancelled"));
        }
    }

    /**
     * Says that there may be an order of this number. A download for an older one is put off, so that the caller can ask; it
     * goes on afterwards where nothing came of it.
     */
    public void announced(long orderVersion) {
        long now = running;
        if (now > 0 && orderVersion > Math.max(now, lastAnnounced)) {
            lastAnnounced = orderVersion;
            context.patience()
                    .putOff(new Rejection(Code.INS_SUPERSEDED, "order " + orderVersion + " may be there already"));
        }
    }

    /**
     * Lets no install begin or go on until {@link #release}, in this process and later ones. One that was measured already is
     * brought to its end. Durable when it returns.
     *
     * @param why the operator's words, for the journal; may be empty
     */
    public void hold(String why) throws IOException {
        context.journal().append(context.ports().clock().instant(), OperatorRecord.Action.PAUSED, why);
        context.patience().hold(true);
    }

    /** Ends a {@link #hold}. Durable when it returns. */
    public void release(String why) throws IOException {
        context.journal().append(context.ports().clock().instant(), OperatorRecord.Action.RESUMED, why);
        context.patience().hold(false);
    }

    /** Whether the last word of the operator was {@link #hold}. */
    public boolean isHeld() {
        List<OperatorRecord> actions = context.journal().operatorRecords();
        return !actions.isEmpty() && actions.getLast().action() == OperatorRecord.Action.PAUSED;
    }

    /** Ends whatever runs at the next safe point, for good; a later process goes on with it. */
    public void stop() {
        context.patience().stop();
    }

    /** What persons on the device asked for beside rollbacks, oldest first. */
    public List<OperatorRecord> operatorHistory() {
        return context.journal().operatorRecords();
    }

    /** Does what can be done about a model that was found damaged at rest. */
    StoreScrub.Checked repair(Slot slot, Optional<ModelTarget> listed) throws IOException {
        turn.lock();
        try {
            return new StoreRepair(context).run(slot, listed);
        } finally {
            end();
        }
    }

    /** Models that lie aside, damaged, until their repair. */
    List<Slot> quarantined() {
        return context.journal().slots().stream()
                .filter(slot -> context.store().isQuarantined(slot.digest()))
                .toList();
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
