package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.wire.Rejection;
import java.time.Instant;
import java.util.Optional;

/**
 * One line of the install journal.
 *
 * @param sequence number of the line, growing
 * @param at the device's clock when it was written
 * @param orderVersion number of the Director's order; 0 where the operator acted
 * @param state the state that was entered
 * @param slot the model that the install is about
 * @param reason why, for {@code ROLLING_BACK}, {@code ROLLED_BACK} and {@code FAILED}
 * @param note what a person may want to know, such as the plan; may be empty
 * @param trial what was learnt about the model, for {@code ROLLED_BACK} and {@code FAILED}
 */
public record InstallRecord(
        long sequence,
        Instant at,
        long orderVersion,
        InstallState state,
        Slot slot,
        Optional<Rejection> reason,
        String note,
        Optional<TrialLog> trial) {}
