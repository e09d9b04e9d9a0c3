package dev.holdfast.attestation.verify;

import java.util.Comparator;

/**
 * A moment in the time of a device's own TEE, as a quote tells it: first the boot, then the clock within it. A TPM's clock may fall by
 * up to its save interval at an unclean stop, but then its reset count rises (TPM 2.0 Library Part 1, 36).
 *
 * @param resetCount how often the TEE was reset
 * @param clockMillis its clock
 */
public record DeviceTime(long resetCount, long clockMillis) implements Comparable<DeviceTime> {
    /** Before everything. */
    public static final DeviceTime START = new DeviceTime(0, 0);

    private static final Comparator<DeviceTime> ORDER =
            Comparator.comparingLong(DeviceTime::resetCount).thenComparingLong(DeviceTime::clockMillis);

    @Override
    public int compareTo(DeviceTime other) {
        return ORDER.compare(this, other);
    }

    public boolean isBefore(DeviceTime other) {
        return compareTo(other) < 0;
    }

    @Override
    public String toString() {
        return "boot " + resetCount + ", clock " + clockMillis + " ms";
    }
}
