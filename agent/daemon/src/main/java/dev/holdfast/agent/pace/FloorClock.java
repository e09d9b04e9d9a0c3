package dev.holdfast.agent.pace;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;

/**
 * The machine's clock, but never before a moment that was authentically said to have passed: a device without a battery
 * begins in 1970, and no maintenance window would ever come. Thread-safe.
 */
public final class FloorClock extends Clock {
    private final Clock machine;
    private volatile Instant floor = Instant.EPOCH;

    public FloorClock(Clock machine) {
        this.machine = machine;
    }

    /** Says that a moment has passed. */
    public void raise(Instant passed) {
        if (passed.isAfter(floor)) {
            floor = passed;
        }
    }

    @Override
    public Instant instant() {
        Instant now = machine.instant();
        return now.isBefore(floor) ? floor : now;
    }

    @Override
    public ZoneId getZone() {
        return machine.getZone();
    }

    @Override
    public Clock withZone(ZoneId zone) {
        return machine.withZone(zone);
    }
}
