package dev.holdfast.inference;

import dev.holdfast.control.GateReport;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The models that the store's pointer names, loaded once when the process starts. Their lanes are entered before anybody can ask for
 * a change: whatever is flipped or retired while they load is newer than the pointer that was read, and stays. Releases in their grace
 * come last, and only as far as memory goes.
 */
final class StartUpLoads {
    private static final Logger LOG = LoggerFactory.getLogger(StartUpLoads.class);

    /**
     * The load of one model.
     *
     * @param slots the release in service, then the one to fall back to
     */
    private record Load(ModelLane lane, List<Slot> slots) {}

    private final ModelHost models;
    private final Optional<String> byDefault;
    private final SortedMap<String, Load> loads = new TreeMap<>();
    private final List<Pointer.Grace> graces;

    /** Announces the loads; {@link #run} must follow. */
    StartUpLoads(ModelHost models, Pointer.Readable pointer) {
        this(models, pointer, Clock.systemUTC());
    }

    /** @param clock by which a grace may be over while the agent is away, which ends them otherwise */
    StartUpLoads(ModelHost models, Pointer.Readable pointer, Clock clock) {
        this.models = models;
        this.byDefault = pointer.byDefault();
        this.graces = pointer.grace().stream()
                .filter(each -> each.until().isAfter(clock.instant()))
                .limit(ModelName.MAX_GRACED)
                .toList();
        Map<SlotId, Long> stay = new LinkedHashMap<>();
        graces.forEach(each -> stay.put(each.slot().slotId(), each.untilSeconds()));
        models.keep(new ServingSet(byDefault, new TreeSet<>(pointer.models().keySet()), stay, pointer.drafts()));
        pointer.models()
                .forEach((name, slots) -> models.enter(name)
                        .ifPresentOrElse(
                                lane -> loads.put(name, new Load(lane, slots)),
                                () -> LOG.error("cannot serve {}: there are too many models", name)));
    }

    /** Loads the default first, which then has the cores and the first word on memory; then the others at once. Once. */
    void run() {
        byDefault.map(loads::remove).ifPresent(this::serveBest);
        List<Thread> threads = loads.entrySet().stream()
                .map(model -> Thread.ofPlatform()
                        .daemon()
                        .name("holdfast-load-" + model.getKey())
                        .start(() -> serveBest(model.getValue())))
                .toList();
        try {
            for (Thread thread : threads) {
                thread.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return;
        }
        graces.forEach(each -> grace(each.slot()));
    }

    private void grace(Slot slot) {
        GateReport report = models.grace(slot);
        report.failure()
                .ifPresentOrElse(
                        why -> LOG.warn("{} in its grace is not served: {}", slot, why),
                        () -> LOG.info("{} answers to its pinned name", slot));
    }

    private void serveBest(Load load) {
        try {
            for (Slot slot : load.slots) {
                GateReport report = models.serve(load.lane, slot);
                if (report.passed()) {
                    LOG.info("serving {} ({}) after {} ms", slot, slot.digest(), report.loadMillis());
                    return;
                }
                Rejection why = report.failure().orElseThrow();
                switch (why.code()) {
                    case INS_SUPERSEDED, API_NOT_FOUND -> {
                        LOG.info("{} is not wanted any more: {}", slot, why);
                        return;
                    }
                    default -> LOG.error("cannot serve {}: {}", slot, why);
                }
            }
        } finally {
            load.lane.leave();
        }
    }
}
