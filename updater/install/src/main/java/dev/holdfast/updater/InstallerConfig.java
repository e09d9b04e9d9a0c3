package dev.holdfast.updater;

import java.time.Duration;

/**
 * What the device's owner decides about installs.
 *
 * @param agentVersion version of this agent, compared with a model's {@code minAgent}
 * @param memoryBytes memory that a model may need on this device
 * @param byteBudget most payload bytes that one install may pull
 * @param metered on a metered link a failed delta never becomes a full download
 * @param probation how long a new model must serve before it is committed
 * @param probationCheck how often it is looked at meanwhile
 * @param downloadDeadline longest time in {@code DOWNLOADING} over all attempts of one process
 * @param stateDeadline longest time in any other state
 * @param transportRetries attempts after a transport failure without any progress
 * @param backoff first pause between attempts; doubles, with jitter, up to {@code maxBackoff}
 * @param maxBackoff longest pause between attempts
 * @param bytesPerSecond most payload bytes that are asked for in a second, on average; 0 for no limit
 * @param lookAgain after this long a download stands back, so that a newer order can take its place
 * @param diskReserveBytes space that stays free beside the model
 */
public record InstallerConfig(
        String agentVersion,
        long memoryBytes,
        long byteBudget,
        boolean metered,
        Duration probation,
        Duration probationCheck,
        Duration downloadDeadline,
        Duration stateDeadline,
        int transportRetries,
        Duration backoff,
        Duration maxBackoff,
        long bytesPerSecond,
        Duration lookAgain,
        long diskReserveBytes) {
    /** Unmetered, no byte budget, two minutes of probation. */
    public static InstallerConfig defaults(String agentVersion) {
        return new InstallerConfig(
                agentVersion,
                Long.MAX_VALUE,
                Long.MAX_VALUE,
                false,
                Duration.ofMinutes(2),
                Duration.ofSeconds(2),
                Duration.ofHours(24),
                Duration.ofMinutes(30),
                8,
                Duration.ofSeconds(1),
                Duration.ofMinutes(2),
                0,
                Duration.ofHours(1),
                64L << 20);
    }

    public InstallerConfig withProbation(Duration duration, Duration check) {
        return new InstallerConfig(
                agentVersion,
                memoryBytes,
                byteBudget,
                metered,
                duration,
                check,
                downloadDeadline,
                stateDeadline,
                transportRetries,
                backoff,
                maxBackoff,
                bytesPerSecond,
                lookAgain,
                diskReserveBytes);
    }

    public InstallerConfig withByteBudget(long bytes, boolean isMetered) {
        return new InstallerConfig(
                agentVersion,
                memoryBytes,
                bytes,
                isMetered,
                probation,
                probationCheck,
                downloadDeadline,
                stateDeadline,
                transportRetries,
                backoff,
                maxBackoff,
                bytesPerSecond,
                lookAgain,
                diskReserveBytes);
    }

    public InstallerConfig withTransport(int retries, Duration first, Duration longest) {
        return new InstallerConfig(
                agentVersion,
                memoryBytes,
                byteBudget,
                metered,
                probation,
                probationCheck,
                downloadDeadline,
                stateDeadline,
                retries,
                first,
                longest,
                bytesPerSecond,
                lookAgain,
                diskReserveBytes);
    }

    public InstallerConfig withPace(long averageBytesPerSecond, Duration standBackAfter) {
        return new InstallerConfig(
                agentVersion,
                memoryBytes,
                byteBudget,
                metered,
                probation,
                probationCheck,
                downloadDeadline,
                stateDeadline,
                transportRetries,
                backoff,
                maxBackoff,
                averageBytesPerSecond,
                standBackAfter,
                diskReserveBytes);
    }
}
