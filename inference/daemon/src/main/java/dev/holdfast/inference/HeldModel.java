package dev.holdfast.inference;

import dev.holdfast.control.Slot;
import dev.holdfast.engine.ModelSlot;
import dev.holdfast.wire.SlotId;
import java.util.concurrent.atomic.AtomicInteger;

/** A loaded model with what it reserved. */
record HeldModel(ModelSlot model, MemoryLedger.Share memory) {
    Slot slot() {
        return model.description();
    }

    boolean is(SlotId slot) {
        return slot().slotId().equals(slot);
    }

    /** The memory is free as soon as the last request has ended; until then it counts among {@code draining}. */
    void unload(AtomicInteger draining) {
        draining.incrementAndGet();
        model.retire(() -> {
            memory.release();
            draining.decrementAndGet();
        });
    }
}
