package dev.holdfast.updater;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.trust.bundle.OfflineBundle;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.BooleanSupplier;

/**
 * Carries orders out: download, reconstruction, health gate, measurement, swap, probation, and the way back, of each model by
 * itself.
 *
 * <p>Each state is entered by one durable journal line and can be entered again, so that a process that was killed anywhere goes on
 * where it was. Operations on one model exclude each other, those on different models do not; all may be called from any thread. An
 * {@link IOException} means that the device's own disk or event log fails.
 */
public final class Installer implements Installs {
    private final ModelStore store;
    private volatile InstallerConfig config;
    private final InstallerPorts ports;
    private final InstallJournal journal;
    private final Timer timer;
    private final DownloadTurns turns;
    private final ServingSets sets;
    private final Graces graces;
    private final Backoff backoff;
    private final ConcurrentMap<String, ModelInstaller> models = new ConcurrentHashMap<>();
    private volatile boolean stopping;
    private volatile boolean recovered;
    /** The default and the drafts that the inference process was told last. */
    private volatile Optional<Arrangement> told = Optional.empty();

    private Installer(
            ModelStore store, InstallerConfig config, InstallerPorts ports, InstallJournal journal, Timer timer)
            throws IOException {
        this.store = store;
        this.config = config;
        this.ports = ports;
        this.journal = journal;
        this.timer = timer;
        this.turns =
                new DownloadTurns(config.pace(), timer, new DailyBytes(store.traffic(), store.disk(), ports.clock()));
        this.sets = new ServingSets(store, journal, ports.inference());
        this.graces = new Graces(store, journal, ports, sets);
        this.backoff =
                new Backoff(config.retries().firstPause(), config.retries().longestPause(), new Random());
    }

    /** Reads the journal, and writes nothing: a full disk hinders no start. Damage is reported by {@link #recover}. */
    public static Installer open(ModelStore store, InstallerConfig config, InstallerPorts ports) throws IOException {
        return open(store, config, ports, Timer.SYSTEM);
    }

    static Installer open(ModelStore store, InstallerConfig config, InstallerPorts ports, Timer timer)
            throws IOException {
        return open(store, config, ports, timer, InstallJournal.Limits.DEFAULT);
    }

    static Installer open(
            ModelStore store, InstallerConfig config, InstallerPorts ports, Timer timer, InstallJournal.Limits limits)
            throws IOException {
        InstallJournal journal = InstallJournal.open(store.journal(), store.disk(), limits, store::isInUse);
        return new Installer(store, config, ports, journal, timer);
    }

    private ModelInstaller model(String name) {
        return models.computeIfAbsent(name, fresh -> {
            Cancellation cancellation = new Cancellation(timer);
            cancellation.pause(isPaused());
            if (stopping) {
                cancellation.stop();
            }
            return new ModelInstaller(new InstallContext(
                    fresh, store, config, ports, journal, turns, sets, graces, cancellation, backoff));
        });
    }

    /**
     * Takes another configuration while it runs: the pace at once, the rest with the next attempt of each install. How many models are
     * pulled at a time stays, and so do the pauses between attempts.
     */
    public synchronized void reconfigure(InstallerConfig other) {
        config = other;
        turns.pace().rate(other.pace().bytesPerSecond());
        models.values().forEach(model -> model.reconfigure(other));
    }

    /** Every model that serves here, or was ever installed or tried. */
    public SortedSet<String> models() {
        SortedSet<String> names = new TreeSet<>(journal.models());
        names.addAll(store.pointer().models().keySet());
        names.addAll(models.keySet());
        return names;
    }

    @Override
    public SortedSet<String> inUse() {
        SortedSet<String> names = new TreeSet<>(store.pointer().models().keySet());
        journal.unfinished().forEach(record -> names.add(record.slot().model()));
        names.addAll(ports.measurements().named());
        return names;
    }

    /**
     * Makes the pointer name verified releases only, by what is on the disk alone. Call once at start, before everything else;
     * {@link #settle} of each model follows. Where the disk refuses, it is to be called again before anything else is.
     *
     * @return {@code INS-JOURNAL} where a line of the journal does not hold
     */
    public Optional<Rejection> recover() throws IOException {
        store.prepare();
        new PointerRepair(store, journal, ports).run();
        recovered = true;
        return journal.damage();
    }

    @Override
    public Optional<Rejection> settle(String name) throws IOException {
        return model(name).settle();
    }

    @Override
    public Optional<InstallOutcome> finishPending(String name) throws IOException {
        return model(name).finishPending();
    }

    @Override
    public Optional<Rejection> arrange(Order order) throws IOException {
        if (order.leaseSeconds().isPresent()) {
            return Optional.of(new Rejection(Code.UPD_INCOMPATIBLE, "this agent knows no leases"));
        }
        Optional<String> wanted = order.byDefault();
        sets.want(dropped(order), wanted);
        graces.want(order);
        if (wanted.isEmpty()) {
            return Optional.empty();
        }
        SortedMap<String, String> drafts = drafts(order);
        Pointer now = store.pointer();
        Pointer next = now.withDefault(wanted.get()).withDrafts(drafts);
        if (next.equals(now) && told.equals(Optional.of(Arrangement.of(now)))) {
            return Optional.empty();
        }
        store.point(pointer -> pointer.withDefault(wanted.get()).withDrafts(drafts));
        Optional<Rejection> untold = sets.tell();
        told = untold.isEmpty() ? Optional.of(Arrangement.of(store.pointer())) : Optional.empty();
        return untold;
    }

    /** What the models of a device have to do with each other. */
    private record Arrangement(Optional<String> byDefault, SortedMap<String, String> drafts) {
        static Arrangement of(Pointer pointer) {
            return new Arrangement(pointer.byDefault(), pointer.drafts());
        }
    }

    /** Which model guesses for which: a draft is the target of another model of the order, and of no use where it is not. */
    private static SortedMap<String, String> drafts(Order order) {
        Map<String, String> names = new HashMap<>();
        order.models()
                .forEach(each -> names.put(each.terms().target(), each.model().model()));
        SortedMap<String, String> drafts = new TreeMap<>();
        for (ModelOrder each : order.models()) {
            String name = each.model().model();
            each.terms()
                    .draft()
                    .map(names::get)
                    .filter(draft -> !draft.equals(name))
                    .ifPresent(draft -> drafts.put(name, draft));
        }
        return drafts;
    }

    /**
     * Ends graces that are over, and has the releases in theirs loaded that should answer and do not. May wait for loads.
     *
     * @return when to call again; empty where nothing is in its grace until another order, and before {@link #recover}
     */
    public Optional<Instant> tendGraces() throws IOException {
        // A pointer that does not read yet would have everything unloaded.
        return recovered ? graces.tend() : Optional.empty();
    }

    /** The older releases that the newest order lets stay of a model, served or not. */
    public List<GracedRelease> graces(String name) {
        return graces.of(name);
    }

    @Override
    public SortedSet<String> dropped(Order order) {
        SortedSet<String> names = inUse();
        order.models().forEach(each -> names.remove(each.model().model()));
        return names;
    }

    @Override
    public Optional<Rejection> retire(String name, long orderVersion) throws IOException {
        return model(name).retire(orderVersion);
    }

    /** Carries out what an order says of one model, or continues it. Blocks until the end. */
    public InstallOutcome install(ModelOrder order) throws IOException {
        return install(order, () -> true);
    }

    @Override
    public InstallOutcome install(ModelOrder order, BooleanSupplier wanted) throws IOException {
        return model(order.model().model()).install(order, wanted);
    }

    /** The same from an offline bundle instead of the link, at once. */
    public InstallOutcome install(ModelOrder order, OfflineBundle bundle) throws IOException {
        return model(order.model().model()).install(bundle.offered(order), bundle);
    }

    /**
     * Goes back to the release before because the operator says so. An install of the model under way ends with it: before its swap
     * it fails, on probation it is what is rolled back. Its order is not carried out again.
     *
     * @param name of the model
     * @param why the operator's words, for the journal and the device's report; may be empty
     */
    public InstallOutcome rollback(String name, String why) throws IOException {
        return models().contains(name)
                ? model(name).rollback(why)
                : new InstallOutcome.Failed(new Rejection(Code.INS_NO_FALLBACK, "there is no model " + name));
    }

    /**
     * Goes back, of each model, from a release that was withdrawn, and lets none be fallen back to. Blocks until the end.
     *
     * @return why one serves on; empty where none does
     */
    public Optional<Rejection> leaveWithdrawn() throws IOException {
        List<Rejection> left = new ArrayList<>();
        for (String name : store.pointer().models().keySet()) {
            model(name).leaveWithdrawn().ifPresent(left::add);
        }
        graces.end();
        return left.stream().findFirst();
    }

    @Override
    public void cancel(String name, Rejection why) {
        model(name).cancel(why);
    }

    @Override
    public void supersede(String name, long orderVersion) {
        model(name).supersede(orderVersion);
    }

    /**
     * Lets no install begin or go on until {@link #unpause}, in this process and later ones. One that was measured already is
     * brought to its end. Durable when it returns.
     *
     * @param why the operator's words, for the journal; may be empty
     */
    public void pause(String why) throws IOException {
        journal.append(ports.clock().instant(), OperatorRecord.Action.PAUSED, why);
        models.values().forEach(each -> each.pause(true));
    }

    /** Ends a {@link #pause}. Durable when it returns. */
    public void unpause(String why) throws IOException {
        journal.append(ports.clock().instant(), OperatorRecord.Action.RESUMED, why);
        models.values().forEach(each -> each.pause(false));
    }

    /** Whether the last word of the operator was {@link #pause}. */
    public boolean isPaused() {
        return journal.isPaused();
    }

    /** Ends whatever runs at the next safe point, for good; a later process goes on with it. */
    public void stop() {
        stopping = true;
        models.values().forEach(ModelInstaller::stop);
    }

    /** What persons on the device asked for beside rollbacks, oldest first. */
    public List<OperatorRecord> operatorHistory() {
        return journal.operatorRecords();
    }

    ModelStore store() {
        return store;
    }

    /** Does what can be done about a model that was found damaged at rest. */
    StoreScrub.Checked repair(Slot slot, Optional<ModelTarget> listed) throws IOException {
        return model(slot.model()).repair(slot, listed);
    }

    /** Releases that are set aside, damaged, until their repair. */
    List<Slot> quarantined() {
        return journal.slots().stream()
                .filter(slot -> store.isQuarantined(slot.digest()))
                .toList();
    }

    /** All records, oldest first. */
    public List<InstallRecord> history() {
        return journal.records();
    }

    /** How far the running or last install of this process has come for a model; empty where there was none. */
    public Optional<InstallProgress> progress(String name) {
        return Optional.ofNullable(models.get(name)).flatMap(ModelInstaller::progress);
    }
}
