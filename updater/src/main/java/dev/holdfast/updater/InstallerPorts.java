package dev.holdfast.updater;

import dev.holdfast.tee.MonotonicCounter;
import java.time.Clock;

/** Everything outside of itself that an {@link Installer} touches. */
public record InstallerPorts(
        BlockSource blocks,
        InferenceControl inference,
        Measurements measurements,
        MonotonicCounter epochFloor,
        Clock clock,
        InstallObserver observer) {}
