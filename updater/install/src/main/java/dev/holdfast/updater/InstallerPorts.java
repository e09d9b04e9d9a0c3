package dev.holdfast.updater;

import dev.holdfast.control.InferenceControl;
import dev.holdfast.trust.client.BlockSource;
import java.time.Clock;

/** Everything outside of itself that an {@link Installer} touches. */
public record InstallerPorts(
        BlockSource blocks,
        InferenceControl inference,
        Measurements measurements,
        EpochFloors epochFloors,
        Withdrawals withdrawals,
        Clock clock,
        InstallObserver observer) {
    /** The same with blocks from elsewhere. */
    InstallerPorts from(BlockSource source) {
        return new InstallerPorts(source, inference, measurements, epochFloors, withdrawals, clock, observer);
    }
}
