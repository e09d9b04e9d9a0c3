package dev.holdfast.updater;

import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Slot;
import dev.holdfast.trust.bundle.OfflineBundle;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.updater.InstallerConfig.Budget;
import dev.holdfast.updater.InstallerConfig.Retries;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.Optional;

/** What every step of an install shares. */
record InstallContext(
        ModelStore store,
        InstallerConfig config,
        InstallerPorts ports,
        InstallJournal journal,
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
        long bytes = Math.min(config.budget().bytes(), rollout.byteBudget());
        return with(config.with(new Budget(bytes, config.budget().metered())), ports);
    }

    private InstallContext with(InstallerConfig otherConfig, InstallerPorts otherPorts) {
        return new InstallContext(store, otherConfig, otherPorts, journal, cancellation, backoff);
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
                            state + ": the inference process does not answer: " + e.getMessage());
                }
                cancellation.sleep(backoff.pause(attempt));
            }
        }
    }
}
