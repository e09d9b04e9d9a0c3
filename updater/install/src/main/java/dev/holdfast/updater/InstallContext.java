package dev.holdfast.updater;

import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Slot;
import dev.holdfast.trust.bundle.OfflineBundle;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.Optional;

/** What every step of an install shares. */
record InstallContext(
        ModelStore store, InstallerConfig config, InstallerPorts ports, InstallJournal journal, Patience patience) {

    /** The same install out of a file: budget, metering and repetition are a link's, and a file has none. */
    InstallContext from(OfflineBundle bundle, boolean wholeModelOffered) {
        return new InstallContext(
                store,
                config.withByteBudget(Long.MAX_VALUE, !wholeModelOffered)
                        .withTransport(0, config.backoff(), config.maxBackoff()),
                ports.from(bundle),
                journal,
                patience);
    }

    /** The same install within the order's own budget. */
    InstallContext within(Rollout rollout) {
        return new InstallContext(
                store,
                config.withByteBudget(Math.min(config.byteBudget(), rollout.byteBudget()), config.metered()),
                ports,
                journal,
                patience);
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
        Patience.Deadline deadline = patience.deadline(config.stateDeadline());
        for (int attempt = 0; ; attempt++) {
            try {
                return ports.inference().status();
            } catch (IOException e) {
                if (deadline.passed() || attempt >= config.transportRetries()) {
                    throw InstallStop.interrupted(
                            dev.holdfast.wire.Code.INS_CANDIDATE_LOST,
                            state + ": the inference process does not answer: " + e.getMessage());
                }
                patience.pause(patience.backoff(attempt));
            }
        }
    }
}
