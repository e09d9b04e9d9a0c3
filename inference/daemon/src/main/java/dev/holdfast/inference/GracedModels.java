package dev.holdfast.inference;

import dev.holdfast.control.GateReport;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ModelSlot;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The releases of all names that answer to their pinned names for a while, beside what serves. The agent says which those are and until
 * when, and ends them; here they only give way where a newer model needs their memory. Thread-safe.
 */
final class GracedModels {
    private static final Logger LOG = LoggerFactory.getLogger(GracedModels.class);

    private final Collection<ModelLane> lanes;
    private final ModelWatcher watcher;
    private final AtomicInteger draining;
    /** What stays, loaded or not, until a time in seconds since 1970. */
    private volatile Map<SlotId, Long> untils = Map.of();

    /**
     * None yet.
     *
     * @param lanes a view of all there are
     * @param draining how many models only finish their requests
     */
    GracedModels(Collection<ModelLane> lanes, ModelWatcher watcher, AtomicInteger draining) {
        this.lanes = lanes;
        this.watcher = watcher;
        this.draining = draining;
    }

    /** Whether a release is not to be unloaded when another one takes its place. */
    boolean stays(SlotId slot) {
        return untils.containsKey(slot);
    }

    /** Says which releases stay from now on, and unloads all others. */
    void keep(Map<SlotId, Long> next) {
        Map<SlotId, Long> before = untils;
        untils = next;
        for (ModelLane lane : lanes) {
            for (Slot over : lane.endGraces()) {
                ended(over, ModelEvents.More.NOTHING);
            }
        }
        for (Pointer.Grace each : loaded()) {
            Long known = before.get(each.slot().slotId());
            if (known == null || known != each.untilSeconds()) {
                begun(each);
            }
        }
    }

    private void ended(Slot slot, ModelEvents.More more) {
        watcher.happened(ModelEvents.Kind.GRACE_ENDED, slot, more);
    }

    private void begun(Pointer.Grace grace) {
        watcher.happened(ModelEvents.Kind.GRACE, grace.slot(), ModelEvents.More.until(grace.untilSeconds()));
    }

    /** A release was loaded, or another one took its place: tells of it where it answers to its pinned name now. */
    void tell(Slot slot) {
        loaded().stream()
                .filter(each -> each.slot().slotId().equals(slot.slotId()))
                .findFirst()
                .ifPresent(this::begun);
    }

    /** Those that are loaded, by the names of their models. */
    List<Pointer.Grace> loaded() {
        Map<SlotId, Long> known = untils;
        List<Pointer.Grace> graces = new ArrayList<>();
        for (ModelLane lane : lanes) {
            for (ModelSlot model : lane.graced()) {
                Slot slot = model.description();
                graces.add(new Pointer.Grace(slot, known.getOrDefault(slot.slotId(), 0L)));
            }
        }
        return graces;
    }

    /** Loads a new model, for which these give way, one by one, where memory lacks. */
    GateReport first(Supplier<GateReport> load) {
        GateReport report = load.get();
        while (report.failure().filter(why -> why.code() == Code.INS_MEMORY).isPresent() && giveWay()) {
            report = load.get();
        }
        return report;
    }

    /**
     * Unloads the one that would end first.
     *
     * @return false where there is none, or where something is on its way out already, whose memory comes back by itself
     */
    private boolean giveWay() {
        if (draining.get() > 0) {
            return false;
        }
        Optional<Slot> first = loaded().stream()
                .min(Comparator.comparingLong(Pointer.Grace::untilSeconds))
                .map(Pointer.Grace::slot);
        if (first.isEmpty()
                || lanes.stream().noneMatch(lane -> lane.endGrace(first.get().slotId()))) {
            return false;
        }
        LOG.warn("{} in its grace: {}", first.get(), new Rejection(Code.INS_MEMORY, "it gives way to a newer model"));
        ended(first.get(), ModelEvents.More.because(Code.INS_MEMORY));
        return true;
    }
}
