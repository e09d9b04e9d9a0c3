package dev.holdfast.updater;

import java.time.Instant;

/**
 * A line of the install journal that a person on the device caused.
 *
 * @param sequence number of the line, shared with {@link InstallRecord}
 * @param at the device's clock when it was written
 * @param action what was asked for
 * @param reason why, in the person's words; may be empty
 */
public record OperatorRecord(long sequence, Instant at, Action action, String reason) {
    /** What a person may ask for beside a rollback, which is an install of its own. */
    public enum Action {
        /** No update begins or goes on. */
        PAUSED,
        /** Updates go on. */
        RESUMED
    }
}
