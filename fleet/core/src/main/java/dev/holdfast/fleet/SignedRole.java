package dev.holdfast.fleet;

import java.time.Duration;
import java.time.Instant;
import java.util.Locale;

/**
 * A role of the Image repository, and how long what it signs is good. Each is signed again well before that ends: by the service where
 * its keys are online, else by a person, who is reminded.
 */
public enum SignedRole {
    ROOT(FleetKeys.ROOT, 365, 60, 30),
    TARGETS(FleetKeys.TARGETS, 90, 45, 21),
    SNAPSHOT(FleetKeys.SNAPSHOT, 30, 15, 7),
    TIMESTAMP(FleetKeys.TIMESTAMP, 7, 4, 2);

    private final FleetKeys keys;
    private final Duration life;
    private final Duration renewed;
    private final Duration reminded;

    SignedRole(FleetKeys keys, int lifeDays, int renewedDays, int remindedDays) {
        this.keys = keys;
        this.life = Duration.ofDays(lifeDays);
        this.renewed = Duration.ofDays(renewedDays);
        this.reminded = Duration.ofDays(remindedDays);
    }

    public FleetKeys keys() {
        return keys;
    }

    public Duration life() {
        return life;
    }

    /** Whether it is time to sign it again. */
    public boolean isDue(Instant expires, Instant now) {
        return expires.isBefore(now.plus(renewed));
    }

    /** Whether a person has to be told: nobody signed it when it was due. */
    public boolean isLate(Instant expires, Instant now) {
        return expires.isBefore(now.plus(reminded));
    }

    /** As in metadata. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
