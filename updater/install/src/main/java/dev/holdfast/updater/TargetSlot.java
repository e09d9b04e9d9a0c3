package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.trust.release.ModelTarget;

/** The slot that a signed model fills when it serves. */
public final class TargetSlot {
    private TargetSlot() {}

    public static Slot of(ModelTarget target) {
        return new Slot(
                target.file().path(),
                target.model(),
                target.version(),
                target.release(),
                target.epoch(),
                target.file().sha256(),
                target.file().length(),
                target.memoryBytes(),
                target.template(),
                target.gate());
    }
}
