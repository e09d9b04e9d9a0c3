package dev.holdfast.inference;

import dev.holdfast.engine.ModelSlot;
import dev.holdfast.wire.SlotId;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The releases of one name that answer to their pinned names alone, each slot once. Thread-safe; readers wait for nobody. */
final class GracedReleases {
    /** Replaced whole. */
    private volatile List<HeldModel> held = List.of();

    @Nullable
    HeldModel find(SlotId slot) {
        return first(each -> each.is(slot));
    }

    /** The one that answers to this pinned name. */
    @Nullable
    HeldModel named(String id) {
        return first(each -> each.slot().id().equals(id));
    }

    private @Nullable HeldModel first(Predicate<HeldModel> which) {
        for (HeldModel each : held) {
            if (which.test(each)) {
                return each;
            }
        }
        return null;
    }

    boolean isEmpty() {
        return held.isEmpty();
    }

    List<ModelSlot> models() {
        return held.stream().map(HeldModel::model).toList();
    }

    synchronized void add(HeldModel model) {
        List<HeldModel> more = new ArrayList<>(held);
        more.add(model);
        held = List.copyOf(more);
    }

    /** Takes out what {@code which} says, for the caller to unload. */
    synchronized List<HeldModel> remove(Predicate<SlotId> which) {
        List<HeldModel> over = new ArrayList<>();
        List<HeldModel> left = new ArrayList<>();
        for (HeldModel each : held) {
            (which.test(each.slot().slotId()) ? over : left).add(each);
        }
        held = List.copyOf(left);
        return over;
    }
}
