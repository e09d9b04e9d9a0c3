package dev.holdfast.fleet.rollout;

/** How far a rollout is. */
public enum RolloutState {
    /** Made, and not started. */
    DRAFT,
    /** Started; its time has not come. */
    SCHEDULED,
    /** Rings open and devices are ordered. */
    RUNNING,
    /** No device is ordered; those that are at it go on, and abort still applies. */
    PAUSED,
    /** The last ring has passed its gate. */
    COMPLETED,
    /** Ended before that, by a person or by what was seen. */
    ABORTED,
    /** Another rollout of the same model took its place. */
    SUPERSEDED;

    boolean hasEnded() {
        return this == COMPLETED || this == ABORTED || this == SUPERSEDED;
    }

    /** Whether devices of it are watched. */
    boolean isUnderWay() {
        return this == RUNNING || this == PAUSED;
    }
}
