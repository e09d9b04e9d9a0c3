package dev.holdfast.attestation;

import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.LoggedEvent.Cause;
import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import dev.holdfast.storage.DiskException;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.function.Function;
import java.util.function.LongSupplier;

/**
 * The device's replayable record of what was extended into the register since the TEE was reset. The last event of each model
 * says which release of it serves; a model whose last event retires it is not in service. Beside it, releases in their grace answer to
 * their pinned names, each from its own event to the one that ends it.
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
    /** More than a device swaps between two boots. The bytes are bounded, too, so that evidence can carry the log. */
    public static final int MAX_EVENTS = 4096;

    /** Models that the log names at one time: those of an order, and those of the one before that are not retired yet. */
    public static final int MAX_NAMED = 2 * ModelName.MAX_MODELS;

    /** Releases in their grace that the log names at one time: those of an order, and those of the one before that are not over yet. */
    public static final int MAX_GRACED = 2 * ModelName.MAX_GRACED;

    private final Replay replay = new Replay();
    private final Swaps swaps;
    private final Recorder recorder;
    /** The start of this agent, until it is in the log. */
    private Optional<LoggedEvent> unrecordedStart = Optional.empty();

    private EventLog(Recorder.Ports ports, LongSupplier nanoClock) {
        this.swaps = new Swaps(nanoClock);
        this.recorder = new Recorder(ports, replay, swaps);
    }

    /**
     * Opens or begins the log in {@code dir} (made with mode 0700), and recovers from a crash. Where the disk is full, or refuses otherwise, it opens all the
     * same: each later call tries again before it does anything else, and until then {@link #broken} says why.
     */
    public static EventLog open(Path dir, MeasurementRegister register) throws IOException, TeeException {
        return open(dir, register, Disk.LOCAL, Steps.UNWATCHED, System::nanoTime);
    }

    static EventLog open(Path dir, MeasurementRegister register, Disk disk, Steps steps, LongSupplier nanoClock)
            throws IOException, TeeException {
        EventFile file = EventFile.open(dir, disk, steps);
        EventLog log =
                new EventLog(new Recorder.Ports(register, file, new WriteAhead(dir, disk, steps), steps), nanoClock);
        try {
            log.recorder.recover();
            return log;
        } catch (DiskException e) {
            return log;
        } catch (IOException | TeeException e) {
            file.close();
            throw e;
        }
    }

    /**
     * Records that the agent started; nothing where the log's last start says the same, so that restarts do not fill it. An
     * agent starts with a full log, too: then {@link #broken} says that it is not in there. Where it throws, each later call records
     * it first.
     */
    public synchronized void agentStarted(String name, String version) throws IOException, TeeException {
        unrecordedStart = Optional.of(new LoggedEvent(new Event.AgentStart(name, version).content(), Cause.AGENT));
        ready();
        recorder.clearUnlessUnderWay();
    }

    /** What comes before everything else: what a reset of the TEE, or a disk that refused, left to do. */
    private void ready() throws IOException, TeeException {
        recorder.renewAfterReset();
        if (unrecordedStart.isPresent()) {
            LoggedEvent start = unrecordedStart.get();
            if (!replay.startedAs(start.content())) {
                Optional<String> full = replay.refusal(start);
                if (full.isEmpty()) {
                    recorder.record(start);
                } else {
                    recorder.breaks("the log does not name this agent: " + full.get());
                }
            }
            unrecordedStart = Optional.empty();
        }
    }

    /**
     * To be called when a release is ready and before its model's pointer flips: write-ahead, extend, append; nothing of it
     * where the model's last event says so already, or all but the tokenizer and the process that says it has used up its
     * ration. When it throws, the release must not serve; {@link #ensureServing} of
     * the one that does then sets the record straight.
     *
     * @throws EventLogFullException where the log is full, or names {@value #MAX_NAMED} other models
     * @throws IOException where it cannot be written
     * @throws IllegalArgumentException for an event of another kind
     */
    public synchronized void beforeServe(ModelEvent event) throws IOException, TeeException {
        begin(event, Cause.AGENT);
    }

    private void begin(ModelEvent event, Cause cause) throws IOException, TeeException {
        if (event.kind() != ModelEvent.Kind.SERVE && event.kind() != ModelEvent.Kind.ROLLBACK) {
            throw new IllegalArgumentException(event.kind() + " puts no model into service");
        }
        record(event, cause);
        swaps.begin(event.model());
    }

    private void record(ModelEvent event, Cause cause) throws IOException, TeeException {
        ready();
        ModelEvent last = replay.places().get(event.place());
        if (!event.equals(last)) {
            // Of one and the same release only the tokenizer can differ, which is the inference process's own word.
            boolean named =
                    last != null && last.kind() == event.kind() && last.slot().equals(event.slot());
            Cause account = named ? Cause.PROBE : cause;
            Optional<String> refusal = replay.refusal(event, account);
            if (refusal.isEmpty()) {
                recorder.record(LoggedEvent.of(event, account));
            } else if (!named) {
                throw new EventLogFullException(refusal.get());
            }
        }
    }

    /**
     * To be called before a release answers to its pinned name beside what serves; nothing where the log says so already. It may be in
     * service itself.
     *
     * @throws EventLogFullException where the log is full, or names {@value #MAX_GRACED} others
     */
    public synchronized void graced(ModelEvent event) throws IOException, TeeException {
        record(event.as(ModelEvent.Kind.GRACE), Cause.AGENT);
        swaps.changed(event.model());
        recorder.clearUnlessUnderWay();
    }

    /** To be called once a release is unloaded that was in its grace; nothing where the log does not name it so. */
    public synchronized void graceEnded(SlotId slot) throws IOException, TeeException {
        ready();
        for (ModelEvent event : replay.graces().values()) {
            if (event.slot().equals(slot)) {
                recorder.record(LoggedEvent.of(event.as(ModelEvent.Kind.GRACE_END), Cause.AGENT));
                swaps.changed(event.model());
            }
        }
        recorder.clearUnlessUnderWay();
    }

    /** The releases in their grace. */
    public synchronized List<ModelEvent> graces() {
        return List.copyOf(replay.graces().values());
    }

    /** To be called once the pointer of {@code model} has flipped for good. */
    public synchronized void afterServe(String model) throws IOException {
        if (swaps.isEmpty() || swaps.models().equals(Set.of(model))) {
            recorder.clear();
        }
        swaps.end(model);
    }

    /**
     * To be called once {@code model} is out of the pointer and unloaded: records that it serves no more. Nothing where the
     * log does not name it. After a crash it is to be called again.
     */
    public synchronized void retired(String model) throws IOException, TeeException {
        ready();
        // A model may be named by a release in its grace alone.
        Optional<ModelEvent> last = replay.places().values().stream()
                .filter(event -> event.model().equals(model))
                .findFirst();
        if (last.isPresent()) {
            recorder.record(LoggedEvent.of(last.get().as(ModelEvent.Kind.RETIRE), Cause.AGENT));
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
     * stays in the log: only an order retires it. What the process can have recorded so is rationed for the whole boot;
     * beyond that nothing is recorded, and the model is {@code ABSENT} as far as the log names it.
     *
     * @param actual what serves, one of each name, and the releases in their grace
     * @return what is known of each {@link ModelEvent#place} that the log names: {@code CONFIRMED}, {@code CHANGING} or {@code ABSENT}; all
     *     {@code UNKNOWN} where the log named another tokenizer of a release
     */
    public synchronized SortedMap<String, Serving> confirm(long changesBefore, Collection<ModelEvent> actual)
            throws IOException, TeeException {
        return states(compare(changesBefore, actual), changesBefore);
    }

    private SortedMap<String, Serving> states(Answer answer, long changesBefore) {
        return answer.states(replay.places(), model -> swaps.isChanging(model, changesBefore));
    }

    private Answer compare(long changesBefore, Collection<ModelEvent> actual) throws IOException, TeeException {
        ready();
        Answer answer = new Answer();
        for (ModelEvent event : actual) {
            if (swaps.isChanging(event.model(), changesBefore)) {
                continue;
            }
            boolean named = replay.names(event);
            Optional<String> refusal = named ? Optional.empty() : replay.refusal(event, Cause.PROBE);
            if (refusal.isPresent()) {
                answer.unrecorded(event.model(), refusal.get());
                continue;
            }
            if (!named && replay.contradicts(event)) {
                answer.contradictory();
            }
            measure(event, Cause.PROBE);
            answer.confirmed(event);
        }
        return answer;
    }

    /**
     * To be called at start, when it is known which models really serve, and after a swap that failed: measures each of
     * {@code actual}, releases in their grace included, unless the log says so already, and settles what a crash interrupted. Swaps of other models go on.
     * Costs one question to the TEE when there is nothing to do.
     */
    public synchronized void ensureServing(Collection<ModelEvent> actual) throws IOException, TeeException {
        ready();
        for (ModelEvent event : actual) {
            measure(event, Cause.AGENT);
        }
        swaps.forgetInterrupted();
        recorder.clearUnlessUnderWay();
    }

    /** The last event of each model in service, by its name. */
    public synchronized SortedMap<String, ModelEvent> serving() {
        return Collections.unmodifiableSortedMap(replay.models());
    }

    /**
     * The models whose swap a crash interrupted between {@link #beforeServe} and {@link #afterServe}, or is under way, with
     * what the log says of each.
     */
    public synchronized SortedMap<String, ModelEvent> interrupted() {
        SortedMap<String, ModelEvent> found = replay.models();
        found.keySet().retainAll(swaps.models());
        return found;
    }

    /**
     * Why the log does not lead to the register, or does not name the agent that runs, if so. It is told in the evidence,
     * never hidden.
     */
    public synchronized Optional<String> broken() {
        return recorder.broken();
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
        Answer answer = compare(changesBefore, actual);
        SortedMap<String, Serving> states = states(answer, changesBefore);
        return snapshot(model -> Objects.requireNonNull(states.get(model)), answer.gap());
    }

    /** The view where nobody knows what serves. */
    synchronized Snapshot unconfirmed() {
        return snapshot(model -> Serving.UNKNOWN, Optional.empty());
    }

    private Snapshot snapshot(Function<String, Serving> states, Optional<String> gap) {
        List<Measured> models = replay.places().values().stream()
                .map(event -> new Measured(event, states.apply(event.place())))
                .toList();
        return new Snapshot(replay.register(), models, broken().or(() -> gap), recorder.resetCount());
    }

    /** What the register must hold when the log is whole. */
    public synchronized Sha256 replayed() {
        return replay.register();
    }

    @Override
    public synchronized void close() throws IOException {
        recorder.close();
    }

    private void measure(ModelEvent actual, Cause cause) throws IOException, TeeException {
        if (actual.kind() == ModelEvent.Kind.GRACE) {
            if (!replay.names(actual)) {
                record(actual, cause);
            }
            recorder.clearUnlessUnderWay();
            return;
        }
        if (!replay.names(actual)) {
            begin(actual, cause);
        }
        if (swaps.has(actual.model())) {
            afterServe(actual.model());
        }
    }
}
