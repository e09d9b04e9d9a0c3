package dev.holdfast.attestation;

import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.DiskException;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.util.Collections;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Keeps register, file, write-ahead record and {@link Replay} together, whatever is cut off between them. Not thread-safe. */
final class Recorder implements AutoCloseable {
    /** What it writes to. {@code steps} hears of each durable step before it happens. */
    record Ports(MeasurementRegister register, EventFile file, WriteAhead writeAhead, Steps steps) {}

    private final MeasurementRegister register;
    private final EventFile file;
    private final WriteAhead writeAhead;
    private final Steps steps;
    private final Replay replay;
    private final Swaps swaps;
    private long resetCount;
    private @Nullable String broken;
    /** Whether a step failed half way: register and log must be brought together before the next one. */
    private boolean unsettled;
    /** Whether what the process before left was taken over; a full disk may refuse it for a while. */
    private boolean recovered;

    Recorder(Ports ports, Replay replay, Swaps swaps) {
        this.register = ports.register();
        this.file = ports.file();
        this.writeAhead = ports.writeAhead();
        this.steps = ports.steps();
        this.replay = replay;
        this.swaps = swaps;
    }

    /** Reads what the process before left, and finishes or forgets the step in which it ended. Before everything else. */
    void recover() throws IOException, TeeException {
        recovered = false;
        broken = null;
        replay.clear();
        swaps.clear();
        try {
            takeOver();
            recovered = true;
        } catch (DiskException e) {
            breaks("the log cannot be written: " + e.reason());
            throw e;
        }
    }

    private void takeOver() throws IOException, TeeException {
        resetCount = register.resetCount();
        EventFile.Content found = file.read();
        if (found.damage().isEmpty() && (found.isNew() || found.resetCount() != resetCount)) {
            begin();
            return;
        }
        found.events().forEach(replay::add);
        found.damage().ifPresent(this::breaks);
        settle(register.read()).forEach(this::markInterrupted);
        clearUnlessUnderWay();
    }

    /** A TEE that was reset under a running agent has forgotten everything: so does the log. */
    void renewAfterReset() throws IOException, TeeException {
        if (!recovered) {
            recover();
            return;
        }
        long now = register.resetCount();
        if (now != resetCount) {
            resetCount = now;
            // Where the disk refuses, the next call begins it.
            recovered = false;
            begin();
            recovered = true;
        } else if (unsettled) {
            settle(register.read());
            clearUnlessUnderWay();
        }
    }

    /**
     * Write-ahead, extend, append.
     *
     * @throws EventLogFullException where the quota is used up
     */
    void record(LoggedEvent event) throws IOException, TeeException {
        Optional<String> refusal = replay.refusal(event);
        if (refusal.isPresent()) {
            throw new EventLogFullException(refusal.get());
        }
        Sha256 before = register.read();
        if (!before.equals(replay.register())) {
            breaks("the register moved from " + replay.register() + " to " + before + " without the log");
        }
        unsettled = true;
        writeAhead.write(new WriteAhead.Pending(resetCount, before, event, swaps.models()));
        steps.before("extend the register");
        register.extend(Event.digest(event.content()));
        file.append(event);
        replay.add(event);
        unsettled = false;
    }

    /** The log is not the whole truth from here on; the first reason is the one that is told. */
    void breaks(String why) {
        if (broken == null) {
            broken = why;
        }
    }

    Optional<String> broken() {
        return Optional.ofNullable(broken);
    }

    /** The reset of the TEE to which the log belongs. */
    long resetCount() {
        return resetCount;
    }

    void clear() throws IOException {
        writeAhead.clear();
    }

    void clearUnlessUnderWay() throws IOException {
        if (swaps.isEmpty()) {
            writeAhead.clear();
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    /**
     * Brings file, write-ahead record and register together; each case is one place where the power can have gone.
     *
     * @return the other models that were between measurement and flip when the write-ahead record was written
     */
    private Set<String> settle(Sha256 now) throws IOException, TeeException {
        // A disk that is full refuses the append again and again: until it is done, nothing else may be recorded.
        unsettled = true;
        Optional<WriteAhead.Pending> pending = writeAhead.read().filter(found -> found.resetCount() == resetCount);
        if (pending.isPresent()) {
            LoggedEvent event = pending.get().event();
            boolean extended = now.equals(Event.extend(pending.get().before(), Event.digest(event.content())));
            if (extended && replay.register().equals(pending.get().before())) {
                file.append(event);
                replay.add(event);
            }
            if (extended
                    && Event.parse(event.content()) instanceof Verdict.Accepted<Event>(Event.Model(ModelEvent model))
                    && model.equals(replay.places().get(model.model()))) {
                markInterrupted(model.model()); // the caller settles whether its pointer flipped
            }
        }
        if (!replay.register().equals(now)) {
            breaks("the log leads to " + replay.register() + ", the register holds " + now);
        }
        unsettled = false;
        return pending.map(WriteAhead.Pending::underWay).orElse(Collections.emptySortedSet());
    }

    private void markInterrupted(String model) {
        if (replay.places().containsKey(model)) {
            swaps.interrupted(model);
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
}
