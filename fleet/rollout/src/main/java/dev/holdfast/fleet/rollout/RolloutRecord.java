package dev.holdfast.fleet.rollout;

import java.time.Instant;
import java.util.Optional;

/**
 * A rollout as it is kept.
 *
 * @param pausedBy who paused it; present exactly while it is paused
 * @param ring the newest ring that is open, from 0; -1 before the first
 * @param why the last thing that was decided about it, in a sentence with its numbers
 * @param goesBack whether devices are ordered back to what was desired of them before
 * @param rowVersion grows with each change
 */
public record RolloutRecord(
        String id,
        RolloutPlan plan,
        RolloutState state,
        Optional<Pause> pausedBy,
        int ring,
        Instant createdAt,
        String createdBy,
        Optional<Instant> startedAt,
        Optional<Instant> endedAt,
        String why,
        boolean goesBack,
        long rowVersion) {
    /** Who pauses. */
    public enum Pause {
        /** A person, and only a person resumes it. */
        OPERATOR,
        /** The gate, until it passes or a person goes past it. */
        GATE
    }

    static RolloutRecord draft(String id, RolloutPlan plan, String by, Instant now) {
        return new RolloutRecord(
                id,
                plan,
                RolloutState.DRAFT,
                Optional.empty(),
                -1,
                now,
                by,
                Optional.empty(),
                Optional.empty(),
                "made",
                false,
                0);
    }

    private RolloutRecord next(
            RolloutState to,
            Optional<Pause> by,
            int newest,
            Optional<Instant> started,
            Optional<Instant> ended,
            boolean back,
            String because) {
        return new RolloutRecord(
                id, plan, to, by, newest, createdAt, createdBy, started, ended, because, back, rowVersion);
    }

    RolloutRecord started(RolloutState to, Instant now, String because) {
        return next(to, Optional.empty(), ring, Optional.of(now), endedAt, goesBack, because);
    }

    RolloutRecord paused(Pause by, String because) {
        return next(RolloutState.PAUSED, Optional.of(by), ring, startedAt, endedAt, goesBack, because);
    }

    RolloutRecord opened(int newest, String because) {
        return next(RolloutState.RUNNING, Optional.empty(), newest, startedAt, endedAt, goesBack, because);
    }

    /** The same state, of which something else is to be told. */
    RolloutRecord telling(String because) {
        return next(state, pausedBy, ring, startedAt, endedAt, goesBack, because);
    }

    /** Every device that was ordered is ordered back. */
    RolloutRecord isBack() {
        return next(state, pausedBy, ring, startedAt, endedAt, false, why);
    }

    RolloutRecord ended(RolloutState to, boolean back, Instant now, String because) {
        return next(to, Optional.empty(), ring, startedAt, Optional.of(now), back, because);
    }
}
