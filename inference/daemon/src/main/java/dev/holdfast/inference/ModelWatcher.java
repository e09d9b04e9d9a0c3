package dev.holdfast.inference;

import dev.holdfast.control.Slot;
import java.util.function.IntConsumer;

/** Hears what happens to the models; at once, on the thread that does it, which must not wait for it. Thread-safe. */
interface ModelWatcher {
    void happened(ModelEvents.Kind kind, Slot model, ModelEvents.More more);

    /** Who hears of each step of decoding by models of this name for how many answers it is. */
    default IntConsumer steps(String model) {
        return answers -> {};
    }
}
