package dev.holdfast.agent;

import java.util.Collection;
import java.util.Locale;

/** What the update loop is doing. Exactly one holds at a time; the loop alone changes it. */
sealed interface Phase {
    /** The loop has not begun. */
    record Starting() implements Phase {}

    /** Journal, pointer and inference process are being brought to agree. */
    record Recovering() implements Phase {}

    /** The broker is away. */
    record Offline() implements Phase {}

    /** The fleet is being told the device's keys. */
    record Enrolling() implements Phase {}

    /** The fleet knows the device's keys, and somebody has to let it in. */
    record Pending() implements Phase {}

    /** Metadata and order are being fetched. */
    record Refreshing() implements Phase {}

    /** An order is being carried out. */
    record Installing() implements Phase {}

    /** An order waits for its turn or its window. */
    record Waiting() implements Phase {}

    /** A person on the device wants no updates. */
    record Paused() implements Phase {}

    /** Nothing is to be done. */
    record Idle() implements Phase {}

    /** Of the loop and of the models: that of the models where one is at work, or waits while the loop has nothing to do. */
    static Phase of(Phase loop, Collection<ModelWork.State> models) {
        if (models.stream().anyMatch(model -> model.phase() instanceof Installing)) {
            return new Installing();
        }
        return loop instanceof Idle && models.stream().anyMatch(model -> model.phase() instanceof Waiting)
                ? new Waiting()
                : loop;
    }

    /** The word of status and report: {@code installing}. */
    default String word() {
        return getClass().getSimpleName().toLowerCase(Locale.ROOT);
    }
}
