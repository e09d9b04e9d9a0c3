package dev.holdfast.updater;

import dev.holdfast.wire.Code;
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
     * What may be pulled. Only what is kept counts against {@code bytes} and {@code ordered}: whoever sends wrong bytes fails no order.
     *
     * @param bytes most bytes of one install by the word of the device's owner: beyond it the install waits for him
     * @param metered on a metered link a failed delta never becomes a full download
     * @param dailyBytes most bytes of a day by all downloads, refused ones included: beyond it all wait for the next day
     * @param ordered most bytes of one install by the signed word of its order: beyond it the install has failed
     */
    public record Budget(long bytes, boolean metered, long dailyBytes, long ordered) {
        /** No limit for a day. */
        public Budget(long bytes, boolean metered) {
            this(bytes, metered, Long.MAX_VALUE, Long.MAX_VALUE);
        }

        public Budget(long bytes, boolean metered, long dailyBytes) {
            this(bytes, metered, dailyBytes, Long.MAX_VALUE);
        }

        /** The same within what an order allows. */
        Budget within(long orderedBytes) {
            return new Budget(bytes, metered, dailyBytes, orderedBytes);
        }

        /** Ends an install that needs, or has kept, more bytes than it may. */
        void require(long needed) throws InstallStop {
            if (needed > ordered) {
                throw InstallStop.failed(Code.INS_BUDGET, needed + " bytes, the order allows " + ordered);
            }
            if (needed > bytes) {
                throw InstallStop.interrupted(Code.INS_BUDGET, needed + " bytes, the device's byte-budget is " + bytes);
            }
        }
    }

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
