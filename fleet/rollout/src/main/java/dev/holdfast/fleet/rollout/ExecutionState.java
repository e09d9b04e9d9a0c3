package dev.holdfast.fleet.rollout;

/** How far one device is with a rollout. What has ended stays as it ended, unless the plan retries it. */
public enum ExecutionState {
    /** Its ring is open; the order is not given yet. */
    QUEUED,
    /** The order is given; the device has said nothing of it. */
    NOTIFIED,
    /** The device is at it. */
    IN_PROGRESS,
    /** The device says that the release serves and stays. */
    CONFIRMED,
    /** Evidence from after that proves it. */
    ATTESTED,
    /** The device could not install it. */
    FAILED,
    /** It served, and the device went back. */
    ROLLED_BACK,
    /** The device refused the order. */
    REJECTED,
    /** A deadline passed without a word, or without proof. */
    TIMED_OUT,
    /** The rollout ended before the order was given. */
    CANCELED,
    /** Somebody desires something else of the device now, or the fleet forgot it. */
    REMOVED;

    /** Whether the device may still move by itself. */
    boolean isActive() {
        return this == NOTIFIED || this == IN_PROGRESS || this == CONFIRMED;
    }

    /** Whether it counts against the release. Silence does. */
    boolean isFailure() {
        return this == FAILED || this == ROLLED_BACK || this == REJECTED || this == TIMED_OUT;
    }

    /** Whether it counts at all. */
    boolean isCounted() {
        return this != CANCELED && this != REMOVED;
    }
}
