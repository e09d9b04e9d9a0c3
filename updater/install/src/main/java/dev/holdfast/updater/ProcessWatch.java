package dev.holdfast.updater;

import dev.holdfast.control.InferenceStatus;
import java.io.IOException;
import java.util.Optional;

/** Asks the inference process on behalf of one install, and counts how often it began anew meanwhile. */
final class ProcessWatch {
    private final InstallContext context;
    private Optional<InferenceStatus> lastSeen = Optional.empty();
    private int restarts;

    ProcessWatch(InstallContext context) {
        this.context = context;
    }

    /** Waits for an answer as long as a state may last; {@code INS-CANDIDATE-LOST} where none comes. */
    InferenceStatus await(InstallState state) throws InstallStop {
        return seen(context.awaitInference(state));
    }

    /** The answer of now; where the process is busy or away, that of the moment when it is back. */
    InferenceStatus look(InstallState state) throws InstallStop {
        try {
            return seen(context.ports().inference().status());
        } catch (IOException e) {
            return await(state);
        }
    }

    private InferenceStatus seen(InferenceStatus status) {
        if (lastSeen.isPresent() && !lastSeen.get().process().equals(status.process())) {
            restarts++;
        }
        lastSeen = Optional.of(status);
        return status;
    }

    int restarts() {
        return restarts;
    }
}
