package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.wire.Rejection;

/** How {@link Installer#install} or {@link Installer#rollback} ended. */
public sealed interface InstallOutcome {
    /** The model serves and passed its probation. */
    record Committed(Slot slot) implements InstallOutcome {}

    /** The ordered model serves already. */
    record Unchanged(Slot slot) implements InstallOutcome {}

    /** The model served (or was about to) and the one before it is back. */
    record RolledBack(Slot slot, Rejection reason) implements InstallOutcome {}

    /** The model never served. The same order is not tried again. */
    record Failed(Rejection reason) implements InstallOutcome {}

    /** Transport or inference process went away for longer than patience lasts; a later call continues. */
    record Interrupted(InstallState state, Rejection reason) implements InstallOutcome {}
}
