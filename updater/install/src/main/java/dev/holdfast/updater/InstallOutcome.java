package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.wire.Rejection;
import java.time.Instant;
import java.util.Optional;

/** How {@link Installer#install} or {@link Installer#rollback} ended. */
public sealed interface InstallOutcome {
    /** The model serves and passed its probation. */
    record Committed(Slot slot) implements InstallOutcome {}

    /** The ordered model serves already. */
    record Unchanged(Slot slot) implements InstallOutcome {}

    /** The model served (or was about to) and the one before it is back. The same order may be tried again where the model need not be to blame. */
    record RolledBack(Slot slot, Rejection reason) implements InstallOutcome {}

    /** The model never served, by what was signed or by the gate's judgement. The same order is not tried again. */
    record Failed(Rejection reason) implements InstallOutcome {}

    /**
     * Transport, disk, memory or inference process were away, full or busy for longer than patience lasts; a later call continues.
     *
     * @param until when it can go on, where that is known
     */
    record Interrupted(InstallState state, Rejection reason, Optional<Instant> until) implements InstallOutcome {
        public Interrupted(InstallState state, Rejection reason) {
            this(state, reason, Optional.empty());
        }
    }
}
