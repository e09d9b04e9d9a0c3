package dev.holdfast.attestation;

import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The device's replayable record of what was extended into the register since the TEE was reset.
 *
 * <p>A change of the serving model is recorded in the order: write-ahead record, extend, append, and then the caller
 * flips its pointer and the write-ahead record goes. So the log may say that a model is about to serve, but a model never
 * serves unsaid. After a crash between any two steps {@link #open} finishes or forgets the step. Where the log does not
 * lead to the register (other software extended it, or a file is damaged), {@link #broken} says so and evidence carries
 * it; the log goes on, and the verifier refuses it.
 *
 * <p>The log belongs to one reset of the TEE: after a reboot a fresh one begins. Thread-safe.
 */
public final class EventLog implements AutoCloseable {
    /** More than a device swaps between two boots; bounds file and evidence. */
    public static final int MAX_EVENTS = 4096;

    /** A swap that takes longer between measurement and flip than this has failed and was not cleared. */
    private static final Duration SWAP_LIMIT = Duration.ofMinutes(5);

    private final MeasurementRegister register;
    private final EventFile file;
    private final WriteAhead writeAhead;
    private final List<Binary> contents = new ArrayList<>();
    private long resetCount;
    private Sha256 replayed = Event.ZERO;
    private @Nullable ModelEvent serving;
    private @Nullable ModelEvent interrupted;
    private @Nullable String broken;
    /** Whether a step failed half way: register and log must be brought together before the next one. */
    private boolean unsettled;

    private final Steps steps;
    private long changes;
    private long measuredAtNanos;

    private EventLog(MeasurementRegister register, EventFile file, WriteAhead writeAhead, Steps steps) {
        this.register = register;
        this.file = file;
        this.writeAhead = writeAhead;
        this.steps = steps;
    }

    /** Opens or begins the log in {@code dir} (made with mode 0700), and recovers from a crash. */
    public static EventLog open(Path dir, MeasurementRegister register) throws IOException, TeeException {
        return open(dir, register, Disk.LOCAL, Steps.UNWATCHED);
    }

    static EventLog open(Path dir, MeasurementRegister register, Disk disk, Steps steps)
            throws IOException, TeeException {
        EventFile file = EventFile.open(dir, disk, steps);
        EventLog log = new EventLog(register, file, new WriteAhead(dir, disk, steps), steps);
        try {
            log.recover();
            return log;
        } catch (IOException | TeeException e) {
            file.close();
            throw e;
        }
    }

    /** Records that the agent started. */
    public synchronized void agentStarted(String name, String version) throws IOException, TeeException {
        renewAfterReset();
        record(new Event.AgentStart(name, version).content());
        writeAhead.clear();
    }

    /**
     * To be called when the model is ready and before the serving pointer flips: write-ahead, extend, append; nothing of
     * it where the log's last model event says so already. When it throws, the model must not serve; {@link #ensureServing} of the one that does then sets the record straight.
     */
    public synchronized void beforeServe(ModelEvent event) throws IOException, TeeException {
        renewAfterReset();
        if (!event.equals(serving)) {
            record(new Event.Model(event).content());
        }
        interrupted = event;
        changes++;
        measuredAtNanos = System.nanoTime();
    }

    /** To be called once the serving pointer has flipped for good: clears the write-ahead record. */
    public synchronized void afterServe() throws IOException {
        writeAhead.clear();
        interrupted = null;
        changes++;
    }

    /**
     * How often the serving model changed or began to. Ask before the inference process is asked what it serves, and
     * give it to {@link #confirm}: an answer from before a change must not be measured after it.
     */
    public synchronized long changes() {
        return changes;
    }

    /**
     * Before evidence is made: {@link #ensureServing} of {@code actual}, unless a swap is under way, in which the log names
     * already what is about to serve, or one ended since {@code changesBefore}.
     *
     * @return whether the log names {@code actual}
     */
    public synchronized boolean confirm(long changesBefore, ModelEvent actual) throws IOException, TeeException {
        boolean swapping = interrupted != null && System.nanoTime() - measuredAtNanos < SWAP_LIMIT.toNanos();
        if (swapping || changes != changesBefore) {
            renewAfterReset();
            return false;
        }
        ensureServing(actual);
        return true;
    }

    /**
     * To be called at start, when it is known which model really serves, after a swap that failed, and before evidence is
     * made: measures {@code actual} unless the log says so already, and settles an interrupted swap. Costs one question
     * to the TEE when there is nothing to do.
     */
    public synchronized void ensureServing(ModelEvent actual) throws IOException, TeeException {
        renewAfterReset();
        if (serving == null || !serving.as(actual.kind()).equals(actual)) {
            beforeServe(actual);
        }
        afterServe();
    }

    /** The last model event of this boot. */
    public synchronized Optional<ModelEvent> serving() {
        return Optional.ofNullable(serving);
    }

    /** The swap that a crash interrupted between {@link #beforeServe} and {@link #afterServe}, or that is under way. */
    public synchronized Optional<ModelEvent> interrupted() {
        return Optional.ofNullable(interrupted);
    }

    /** Why the log does not lead to the register, if it does not. It is told in the evidence, never hidden. */
    public synchronized Optional<String> broken() {
        return Optional.ofNullable(broken);
    }

    /** The reset of the TEE to which this log belongs. */
    public synchronized long resetCount() {
        return resetCount;
    }

    /** The contents of all events of this boot, in order. */
    public synchronized List<Binary> contents() {
        return List.copyOf(contents);
    }

    /** One consistent view. */
    record Snapshot(Sha256 replayed, Optional<ModelEvent> serving, Optional<String> broken, long resetCount) {}

    synchronized Snapshot snapshot() {
        return new Snapshot(replayed, serving(), broken(), resetCount);
    }

    /** What the register must hold when the log is whole. */
    public synchronized Sha256 replayed() {
        return replayed;
    }

    @Override
    public synchronized void close() throws IOException {
        file.close();
    }

    private void recover() throws IOException, TeeException {
        resetCount = register.resetCount();
        EventFile.Content found = file.read();
        if (found.damage().isEmpty() && (found.isNew() || found.resetCount() != resetCount)) {
            begin();
            return;
        }
        for (Binary content : found.events()) {
            adopt(content);
        }
        found.damage().ifPresent(damage -> broken = damage);
        settle(register.read());
    }

    /** Brings file, write-ahead record and register together; each case is one place where the power can have gone. */
    private void settle(Sha256 now) throws IOException, TeeException {
        unsettled = false;
        Optional<WriteAhead.Pending> pending = writeAhead.read();
        if (pending.isPresent() && pending.get().resetCount() == resetCount) {
            Binary content = pending.get().content();
            Sha256 after = Event.extend(pending.get().before(), Event.digest(content));
            boolean extended = now.equals(after);
            if (extended && replayed.equals(pending.get().before())) {
                file.append(content);
                adopt(content);
            }
            if (extended && serving != null && content.equals(new Event.Model(serving).content())) {
                interrupted = serving; // the caller settles whether its pointer flipped
            } else {
                writeAhead.clear();
            }
        } else {
            writeAhead.clear();
        }
        if (broken == null && !replayed.equals(now)) {
            broken = "the log leads to " + replayed + ", the register holds " + now;
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
        }
    }

    private void begin() throws IOException, TeeException {
        unsettled = false;
        changes++;
        contents.clear();
        replayed = Event.ZERO;
        serving = null;
        interrupted = null;
        writeAhead.clear();
        file.begin(resetCount);
        Sha256 now = register.read();
        broken = now.equals(Event.ZERO) ? null : "the register held " + now + " before the first event";
    }

    private void record(Binary content) throws IOException, TeeException {
        if (contents.size() >= MAX_EVENTS) {
            throw new IOException("the event log is full: " + MAX_EVENTS + " events since the last boot");
        }
        Sha256 before = register.read();
        if (broken == null && !before.equals(replayed)) {
            broken = "the register moved from " + replayed + " to " + before + " without the log";
        }
        unsettled = true;
        writeAhead.write(new WriteAhead.Pending(resetCount, before, content));
        steps.before("extend the register");
        register.extend(Event.digest(content));
        file.append(content);
        adopt(content);
        unsettled = false;
    }

    private void adopt(Binary content) {
        contents.add(content);
        replayed = Event.extend(replayed, Event.digest(content));
        if (Event.parse(content) instanceof Verdict.Accepted<Event>(Event.Model(ModelEvent event))) {
            serving = event;
        }
    }
}
