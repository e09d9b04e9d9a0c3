package dev.holdfast.updater;

import java.time.Duration;

/** What the device's owner decides about installs. */
public record InstallerConfig(
        Device device, Budget budget, Pace pace, Retries retries, Probation probation, Deadlines deadlines) {
    /**
     * What a model finds on this device.
     *
     * @param agentVersion version of this agent, compared with a model's {@code minAgent}
     * @param memoryBytes memory that all models together may need
     * @param diskReserveBytes space that stays free beside the model
     */
    public record Device(String agentVersion, long memoryBytes, long diskReserveBytes) {}

    /**
     * What one install may pull.
     *
     * @param bytes most payload bytes
     * @param metered on a metered link a failed delta never becomes a full download
     */
    public record Budget(long bytes, boolean metered) {}

    /**
     * How fast blocks are pulled, by all downloads together.
     *
     * @param bytesPerSecond most payload bytes that are asked for in a second, on average; 0 for no limit
     * @param downloads models that are pulled at the same time
     */
    public record Pace(long bytesPerSecond, int downloads) {}

    /**
     * What follows a failure of the transport or of the inference process.
     *
     * @param most attempts without any progress before the install is interrupted
     * @param firstPause pause before the second attempt; doubles, with jitter, up to {@code longestPause}
     * @param longestPause longest pause between attempts
     */
    public record Retries(int most, Duration firstPause, Duration longestPause) {}

    /**
     * How a new model is watched.
     *
     * @param lasts how long it must serve before it is committed
     * @param check how often it is looked at meanwhile
     */
    public record Probation(Duration lasts, Duration check) {}

    /**
     * How long an install may stay in one state.
     *
     * @param download longest time in {@code DOWNLOADING} over all attempts of one process
     * @param state longest time in any other state
     */
    public record Deadlines(Duration download, Duration state) {}

    /** Unmetered, no byte budget, two minutes of probation. */
    public static InstallerConfig defaults(String agentVersion) {
        return new InstallerConfig(
                new Device(agentVersion, Long.MAX_VALUE, 64L << 20),
                new Budget(Long.MAX_VALUE, false),
                new Pace(0, 2),
                new Retries(8, Duration.ofSeconds(1), Duration.ofMinutes(2)),
                new Probation(Duration.ofMinutes(2), Duration.ofSeconds(2)),
                new Deadlines(Duration.ofHours(24), Duration.ofMinutes(30)));
    }

    public InstallerConfig with(Device other) {
        return new InstallerConfig(other, budget, pace, retries, probation, deadlines);
    }

    public InstallerConfig with(Budget other) {
        return new InstallerConfig(device, other, pace, retries, probation, deadlines);
    }

    public InstallerConfig with(Pace other) {
        return new InstallerConfig(device, budget, other, retries, probation, deadlines);
    }

    public InstallerConfig with(Retries other) {
        return new InstallerConfig(device, budget, pace, other, probation, deadlines);
    }

    public InstallerConfig with(Probation other) {
        return new InstallerConfig(device, budget, pace, retries, other, deadlines);
    }
}
