package dev.holdfast.updater;

import dev.holdfast.control.Slot;

/** What the publisher withdrew for good, as far as this device knows. It only grows. Thread-safe; waits for nobody. */
@FunctionalInterface
public interface Withdrawals {
    /** Whether a release was withdrawn; false also where nothing is known yet. */
    boolean has(Slot slot);
}
