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
import java.util.Random;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Carries orders out: download, reconstruction, health gate, measurement, swap, probation, and the way back.
 *
 * <p>Each state is entered by one durable journal line and can be entered again, so that a process that was killed
 * anywhere goes on where it was. {@link #install}, {@link #finishPending}, {@link #recover} and {@link #rollback} exclude each
 * other; the rest may be called from any thread. An {@link IOException}
 * means that the device's own disk or event log fails.
 */
public final class Installer {
    private final InstallContext context;
    private final ReentrantLock turn = new ReentrantLock();
    private volatile @Nullable BlockDownload download;
    /** The order under way; 0 where there is none. */
    private volatile long running;
    /** A hint is unsigned: each number puts off once. */
    private volatile long lastAnnounced;

    private Installer(InstallContext context) {
        this.context = context;
        context.cancellation().pause(isPaused());
    }

    /** Reads the journal; a torn last line is cut off, damage is reported by {@link #recover}. */
    public static Installer open(ModelStore store, InstallerConfig config, InstallerPorts ports) throws IOException {
        return open(store, config, ports, Timer.SYSTEM);
    }

    static Installer open(ModelStore store, InstallerConfig config, InstallerPorts ports, Timer timer)
            throws IOException {
        InstallJournal journal = InstallJournal.open(store.journal(), store.disk());
        return new Installer(new InstallContext(
                store,
                config,
                ports,
                journal,
                new Cancellation(timer),
                new Backoff(config.retries().firstPause(), config.retries().longestPause(), new Random())));
    }

    /**
     * What {@link #recover} found.
     *
     * @param serving the verified model that the pointer names now
     * @param unfinished an install that {@link #finishPending} or the same order continues
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
        context.cancellation().reset();
        turn.unlock();
    }

    /** Finishes an install that was measured or on probation when the process ended; needs no network. */
    public Optional<InstallOutcome> finishPending() throws IOException {
        turn.lock();
        try {
            Optional<InstallRecord> open = context.journal().unfinished();
            if (open.isEmpty() || open.get().state().compareTo(InstallState.MEASURED) < 0) {
                return Optional.empty();
            }
            return Optional.of(new ModelSwap(context).finish(open.get()));
        } finally {
            end();
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
                InstallOutcome outcome = new ModelSwap(context).finish(open.get());
                if (open.get().slot().digest().equals(slot.digest()) || outcome instanceof InstallOutcome.Interrupted) {
                    return outcome;
                }
                open = Optional.empty();
            }
            Optional<Pointer> serving = context.store().serving();
            if (serving.isPresent() && serving.get().serving().digest().equals(slot.digest())) {
                return new InstallOutcome.Unchanged(serving.get().serving());
            }
            if (new OrderHistory(context.journal(), order).failed()) {
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
            if (isPaused()) {
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

    private InstallOutcome forward(Order order, Optional<InstallRecord> open, InstallContext context)
            throws IOException {
        Slot slot = TargetSlot.of(order.model());
        BlockDownload blocks = new BlockDownload(context);
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
                new ModelFetch(context, blocks).run(order, new OrderHistory(context.journal(), order).mayUseDelta());
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
        context.cancellation().cancel(reason);
        turn.lock();
        try {
            context.cancellation().reset();
            return new OperatorRollback(context, reason).run(known);
        } finally {
            end();
        }
    }

    /** Ends the running install at the next safe point: before the swap it fails, on probation it is rolled back. */
    public void cancel() {
        if (turn.isLocked()) {
            context.cancellation().cancel(new Rejection(Code.INS_CANCELLED, "cancelled"));
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
            context.cancellation()
                    .putOff(new Rejection(Code.INS_SUPERSEDED, "order " + orderVersion + " may be there already"));
        }
    }

    /**
     * Lets no install begin or go on until {@link #unpause}, in this process and later ones. One that was measured already is
     * brought to its end. Durable when it returns.
     *
     * @param why the operator's words, for the journal; may be empty
     */
    public void pause(String why) throws IOException {
        context.journal().append(context.ports().clock().instant(), OperatorRecord.Action.PAUSED, why);
        context.cancellation().pause(true);
    }

    /** Ends a {@link #pause}. Durable when it returns. */
    public void unpause(String why) throws IOException {
        context.journal().append(context.ports().clock().instant(), OperatorRecord.Action.RESUMED, why);
        context.cancellation().pause(false);
    }

    /** Whether the last word of the operator was {@link #pause}. */
    public boolean isPaused() {
        List<OperatorRecord> actions = context.journal().operatorRecords();
        return !actions.isEmpty() && actions.getLast().action() == OperatorRecord.Action.PAUSED;
    }

    /** Ends whatever runs at the next safe point, for good; a later process goes on with it. */
    public void stop() {
        context.cancellation().stop();
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

    /** Models that are set aside, damaged, until their repair. */
    List<Slot> quarantined() {
        return context.journal().slots().stream()
                .filter(slot -> context.store().isQuarantined(slot.digest()))
                .toList();
    }

    /** All records, oldest first. */
    public List<InstallRecord> history() {
        return context.journal().records();
    }

    /** How far the running or last install of this process has come; empty where there was none. */
    public Optional<InstallProgress> progress() {
        BlockDownload current = download;
        List<InstallRecord> records = context.journal().records();
        return current == null || records.isEmpty()
                ? Optional.empty()
                : Optional.of(current.progress(records.getLast().state()));
    }
}
