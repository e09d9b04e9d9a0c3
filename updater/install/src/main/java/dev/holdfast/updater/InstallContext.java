package dev.holdfast.updater;

import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.bundle.OfflineBundle;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.updater.InstallerConfig.Budget;
import dev.holdfast.updater.InstallerConfig.Retries;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.Optional;

/**
 * What every step of the installs of one model shares; store, journal and turns are those of all models.
 *
 * @param model name of the model
 */
record InstallContext(
        String model,
        ModelStore store,
        InstallerConfig config,
        InstallerPorts ports,
        InstallJournal journal,
        DownloadTurns turns,
        ServingSets sets,
        Graces graces,
        Cancellation cancellation,
        Backoff backoff) {

    /** The same install out of a file: budget, metering and repetition are a link's, and a file has none. */
    InstallContext from(OfflineBundle bundle, boolean wholeModelOffered) {
        Retries none =
                new Retries(0, config.retries().firstPause(), config.retries().longestPause());
        return with(config.with(new Budget(Long.MAX_VALUE, !wholeModelOffered)).with(none), ports.from(bundle));
    }

    /** The same install within the order's own budget. */
    InstallContext within(Rollout rollout) {
        return with(config.with(config.budget().within(rollout.byteBudget())), ports);
    }

    /** The same under another configuration. */
    InstallContext with(InstallerConfig other) {
        return with(other, ports);
    }

    private InstallContext with(InstallerConfig otherConfig, InstallerPorts otherPorts) {
        return new InstallContext(
                model, store, otherConfig, otherPorts, journal, turns, sets, graces, cancellation, backoff);
    }

    /** The release of this model in service. */
    Optional<Slot> serving() {
        return store.pointer().serving(model);
    }

    /** The release of this model to fall back to. */
    Optional<Slot> fallback() {
        return store.pointer().fallback(model);
    }

    /** Whether this slot is the one in service. */
    boolean serves(Slot slot) {
        return serving().map(Slot::slotId).equals(Optional.of(slot.slotId()));
    }

    /** Changes what serves of this model, in one durable step; what is in its grace stays so. */
    void point(Slot serving, Optional<Slot> fallback) throws IOException {
        store.point(pointer -> pointer.with(pointer.model(model)
                .map(entry -> entry.serving(serving, fallback))
                .orElseGet(() -> new PointerEntry(serving, fallback))));
    }

    /** The last record of this model where nothing final follows it. */
    Optional<InstallRecord> unfinished() {
        return journal.unfinished(model);
    }

    /** Removes what nothing needs any more. */
    void collect() throws IOException {
        store.collect(journal.unfinished().stream().map(InstallRecord::slot).toList());
    }

    /**
     * Has the model unloaded, which the pointer does not name any more, and the event log say so.
     *
     * @return what could not be done yet; a later call does it
     */
    Optional<Rejection> forget() throws IOException {
        Optional<Rejection> untold = sets.tell();
        if (untold.isPresent()) {
            return untold;
        }
        try {
            ports.measurements().retired(model);
            return Optional.empty();
        } catch (TeeException e) {
            return Optional.of(new Rejection(e.code(), "measurement: " + e.getMessage()));
        }
    }

    /** The first line of an install, then the observer, who may take his time. */
    void begin(long orderVersion, Slot slot) throws IOException {
        InstallRecord record = sets.begin(() -> journal.append(
                ports.clock().instant(),
                orderVersion,
                InstallState.ANNOUNCED,
                slot,
                Optional.empty(),
                "",
                Optional.empty()));
        ports.observer().entered(record);
    }

    /** One durable line, then the observer. */
    InstallRecord enter(InstallState state, long orderVersion, Slot slot, Optional<Rejection> reason, String note)
            throws IOException {
        return enter(state, orderVersion, slot, reason, note, Optional.empty());
    }

    /** The last line of an install, with what was learnt about the model. */
    InstallRecord enter(
            InstallState state,
            long orderVersion,
            Slot slot,
            Optional<Rejection> reason,
            String note,
            Optional<TrialLog> trial)
            throws IOException {
        InstallRecord record = journal.append(ports.clock().instant(), orderVersion, state, slot, reason, note, trial);
        if (state.isFinal()) {
            store.release(model);
        }
        ports.observer().entered(record);
        return record;
    }

    /** Asks the inference process until it answers or the deadline of a state has passed. */
    InferenceStatus awaitInference(InstallState state) throws InstallStop {
        Cancellation.Deadline deadline =
                cancellation.deadline(config.deadlines().state());
        for (int attempt = 0; ; attempt++) {
            try {
                return ports.inference().status();
            } catch (IOException e) {
                if (deadline.passed() || attempt >= config.retries().most()) {
                    throw InstallStop.interrupted(
                            Code.INS_CANDIDATE_LOST,
                            state + ": the inference process does not answer: " + FailureText.of(e));
                }
                cancellation.sleep(backoff.pause(attempt));
            }
        }
    }
}
