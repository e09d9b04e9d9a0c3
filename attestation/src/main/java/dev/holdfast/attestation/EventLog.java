package dev.holdfast.attestation;

import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The device's replayable record of what was extended into the register since the TEE was reset. The last event of each model
 * says which release of it serves; a model whose last event retires it is not in service.
 *
 * <p>A change of a model is recorded in the order: write-ahead record, extend, append, and then the caller flips its pointer.
 * So the log may say that a model is about to serve, but a model never serves unsaid. Installs of different models
 * interleave; the write-ahead record goes when no model is between measurement and flip any more. After a crash between any
 * two steps {@link #open} finishes or forgets the step. Where the log does not lead to the register (other software extended
 * it, or a file is damaged), {@link #broken} says so and evidence carries it; the log goes on, and the verifier refuses it.
 *
 * <p>The log belongs to one reset of the TEE: after a reboot a fresh one begins. Thread-safe.
 */
public final class EventLog implements AutoCloseable {
    /** More than a device swaps between two boots; bounds file and evidence. */
    public static final int MAX_EVENTS = 4096;

    /** Models that the log names at one time: those of an order, and those of the one before that are not retired yet. */
    public static final int MAX_NAMED = 2 * ModelName.MAX_MODELS;

    private final MeasurementRegister register;
    private final EventFile file;
    private final WriteAhead writeAhead;
    private final Steps steps;
    private final Replay replay = new Replay();
    private final Swaps swaps;
    private long resetCount;
    private @Nullable String broken;
    /** Whether a step failed half way: register and log must be brought together before the next one. */
    private boolean unsettled;

    private EventLog(
            MeasurementRegister register, EventFile file, WriteAhead writeAhead, Steps steps, LongSupplier nanoClock) {
        this.register = register;
        this.file = file;
        this.writeAhead = writeAhead;
        this.steps = steps;
        this.swaps = new Swaps(nanoClock);
    }

    /** Opens or begins the log in {@code dir} (made with mode 0700), and recovers from a crash. */
    public static EventLog open(Path dir, MeasurementRegister register) throws IOException, TeeException {
        return open(dir, register, Disk.LOCAL, Steps.UNWATCHED, System::nanoTime);
    }

    static EventLog open(Path dir, MeasurementRegister register, Disk disk, Steps steps, LongSupplier nanoClock)
            throws IOException, TeeException {
        EventFile file = EventFile.open(dir, disk, steps);
        EventLog log = new EventLog(register, file, new WriteAhead(dir, disk, steps), steps, nanoClock);
        try {
            log.recover();
            return log;
        } catch (IOException | TeeException e) {
            file.close();
            throw e;
        }
    }

    /** Records that the agent started; nothing where the log's last start says the same, so that restarts do not fill it. */
    public synchronized void agentStarted(String name, String version) throws IOException, TeeException {
        renewAfterReset();
        Binary content = new Event.AgentStart(name, version).content();
        if (!replay.startedAs(content)) {
            record(content);
        }
        clearUnlessUnderWay();
    }

    /**
     * To be called when a release is ready and before its model's pointer flips: write-ahead, extend, append; nothing of it
     * where the model's last event says so already. When it throws, the release must not serve; {@link #ensureServing} of
     * the one that does then sets the record straight.
     *
     * @throws IOException where the log is full, names {@value #MAX_NAMED} other models, or cannot be written
     * @throws IllegalArgumentException for a {@code model-retire}
     */
    public synchronized void beforeServe(ModelEvent event) throws IOException, TeeException {
        if (event.kind() == ModelEvent.Kind.RETIRE) {
            throw new IllegalArgumentException("a model that is retired does not serve");
        }
        renewAfterReset();
        if (!event.equals(replay.models().get(event.model()))) {
            if (replay.models().size() >= MAX_NAMED && !replay.models().containsKey(event.model())) {
                throw new IOException("the event log names " + MAX_NAMED + " models already, not " + event.model());
            }
            record(new Event.Model(event).content());
        }
        swaps.begin(event.model());
    }

    /** To be called once the pointer of {@code model} has flipped for good. */
    public synchronized void afterServe(String model) throws IOException {
        if (swaps.isEmpty() || swaps.models().equals(Set.of(model))) {
            writeAhead.clear();
        }
        swaps.end(model);
    }

    /**
     * To be called once {@code model} is out of the pointer and unloaded: records that it serves no more. Nothing where the
     * log does not name it. After a crash it is to be called again.
     */
    public synchronized void retired(String model) throws IOException, TeeException {
        renewAfterReset();
        ModelEvent last = replay.models().get(model);
        if (last != null) {
            record(new Event.Model(last.as(ModelEvent.Kind.RETIRE)).content());
        }
        afterServe(model);
    }

    /**
     * How often any model changed or began to. Ask before the inference process is asked what it serves, and give it to
     * {@link #confirm}: an answer from before a change must not be measured after it.
     */
    public synchronized long changes() {
        return swaps.changes();
    }

    /**
     * Before evidence is made: {@link #ensureServing} of each of {@code actual}, unless its own swap is under way, in which
     * the log names already what is about to serve, or it changed since {@code changesBefore}. A model that does not answer
     * stays in the log: only an order retires it.
     *
     * @param actual what serves, one of each name
     * @return what is known of each model that the log names: {@code CONFIRMED}, {@code CHANGING} or {@code ABSENT}
     * @throws IOException as {@link #beforeServe}
     */
    public synchronized SortedMap<String, Serving> confirm(long changesBefore, Collection<ModelEvent> actual)
            throws IOException, TeeException {
        renewAfterReset();
        SortedMap<String, Serving> states = new TreeMap<>();
        for (ModelEvent event : actual) {
            boolean changing = swaps.isChanging(event.model(), changesBefore);
            if (!changing) {
                measure(event);
            }
            states.put(event.model(), changing ? Serving.CHANGING : Serving.CONFIRMED);
        }
        for (String model : replay.models().keySet()) {
            states.computeIfAbsent(
                    model, name -> swaps.isChanging(name, changesBefore) ? Serving.CHANGING : Serving.ABSENT);
        }
        states.keySet().retainAll(replay.models().keySet());
        return states;
    }

    /**
     * To be called at start, when it is known which models really serve, and after a swap that failed: measures each of
     * {@code actual} unless the log says so already, and settles what a crash interrupted. Swaps of other models go on.
     * Costs one question to the TEE when there is nothing to do.
     */
    public synchronized void ensureServing(Collection<ModelEvent> actual) throws IOException, TeeException {
        renewAfterReset();
        for (ModelEvent event : actual) {
            measure(event);
        }
        swaps.forgetInterrupted();
        clearUnlessUnderWay();
    }

    /** The last event of each model in service, by its name. */
    public synchronized SortedMap<String, ModelEvent> serving() {
        return Collections.unmodifiableSortedMap(new TreeMap<>(replay.models()));
    }

    /**
     * The models whose swap a crash interrupted between {@link #beforeServe} and {@link #afterServe}, or is under way, with
     * what the log says of each.
     */
    public synchronized SortedMap<String, ModelEvent> interrupted() {
        SortedMap<String, ModelEvent> found = new TreeMap<>(replay.models());
        found.keySet().retainAll(swaps.models());
        return found;
    }

    /** Why the log does not lead to the register, if it does not. It is told in the evidence, never hidden. */
    public synchronized Optional<String> broken() {
        return Optional.ofNullable(broken);
    }

    /** The contents of all events of this boot, in order. */
    public synchronized List<Binary> contents() {
        return List.copyOf(replay.contents());
    }

    /** One consistent view. */
    record Snapshot(Sha256 replayed, List<Measured> models, Optional<String> broken, long resetCount) {}

    /** {@link #confirm}, and the view right after it. */
    synchronized Snapshot confirmed(long changesBefore, Collection<ModelEvent> actual)
            throws IOException, TeeException {
        SortedMap<String, Serving> states = confirm(changesBefore, actual);
        return snapshot(model -> Objects.requireNonNull(states.get(model)));
    }

    /** The view where nobody knows what serves. */
    synchronized Snapshot unconfirmed() {
        return snapshot(model -> Serving.UNKNOWN);
    }

    private Snapshot snapshot(Function<String, Serving> states) {
        List<Measured> models = replay.models().values().stream()
                .map(event -> new Measured(event, states.apply(event.model())))
                .toList();
        return new Snapshot(replay.register(), models, broken(), resetCount);
    }

    /** What the register must hold when the log is whole. */
    public synchronized Sha256 replayed() {
        return replay.register();
    }

    @Override
    public synchronized void close() throws IOException {
        file.close();
    }

    private void measure(ModelEvent actual) throws IOException, TeeException {
        ModelEvent last = replay.models().get(actual.model());
        if (last == null || !last.as(actual.kind()).equals(actual)) {
            beforeServe(actual);
        }
        if (swaps.has(actual.model())) {
            afterServe(actual.model());
        }
    }

    private void clearUnlessUnderWay() throws IOException {
        if (swaps.isEmpty()) {
            writeAhead.clear();
        }
    }

    private void recover() throws IOException, TeeException {
        resetCount = register.resetCount();
        EventFile.Content found = file.read();
        if (found.damage().isEmpty() && (found.isNew() || found.resetCount() != resetCount)) {
            begin();
            return;
        }
        for (Binary content : found.events()) {
            replay.add(content);
        }
        found.damage().ifPresent(damage -> broken = damage);
        settle(register.read()).forEach(this::markInterrupted);
        clearUnlessUnderWay();
    }

    /**
     * Brings file, write-ahead record and register together; each case is one place where the power can have gone.
     *
     * @return the other models that were between measurement and flip when the write-ahead record was written
     */
    private Set<String> settle(Sha256 now) throws IOException, TeeException {
        unsettled = false;
        Optional<WriteAhead.Pending> pending = writeAhead.read().filter(found -> found.resetCount() == resetCount);
        if (pending.isPresent()) {
            Binary content = pending.get().content();
            boolean extended = now.equals(Event.extend(pending.get().before(), Event.digest(content)));
            if (extended && replay.register().equals(pending.get().before())) {
                file.append(content);
                replay.add(content);
            }
            if (extended
                    && Event.parse(content) instanceof Verdict.Accepted<Event>(Event.Model(ModelEvent event))
                    && event.equals(replay.models().get(event.model()))) {
                markInterrupted(event.model()); // the caller settles whether its pointer flipped
            }
        }
        if (broken == null && !replay.register().equals(now)) {
            broken = "the log leads to " + replay.register() + ", the register holds " + now;
        }
        return pending.map(WriteAhead.Pending::underWay).orElse(Collections.emptySortedSet());
    }

    private void markInterrupted(String model) {
        if (replay.models().containsKey(model)) {
            swaps.interrupted(model);
        }
    }

    /** A TEE that was reset under a running agent has forgotten everything: so does the log. */
    private void renewAfterReset() throws IOException, TeeException {
        long now = register.resetCount();
        if (now != resetCount) {
            resetCount = now;
            begin();
        } else if (unsettled) {
            settle(register.read());
            clearUnlessUnderWay();
        }
    }

    private void begin() throws IOException, TeeException {
        unsettled = false;
        replay.clear();
        swaps.clear();
        writeAhead.clear();
        file.begin(resetCount);
        Sha256 now = register.read();
        broken = now.equals(Event.ZERO) ? null : "the register held " + now + " before the first event";
    }

    private void record(Binary content) throws IOException, TeeException {
        if (replay.contents().size() >= MAX_EVENTS) {
            throw new IOException("the event log is full: " + MAX_EVENTS + " events since the last boot");
        }
        Sha256 before = register.read();
        if (broken == null && !before.equals(replay.register())) {
            broken = "the register moved from " + replay.register() + " to " + before + " without the log";
        }
        unsettled = true;
        writeAhead.write(new WriteAhead.Pending(resetCount, before, content, swaps.models()));
        steps.before("extend the register");
        register.extend(Event.digest(content));
        file.append(content);
        replay.add(content);
        unsettled = false;
    }
}
