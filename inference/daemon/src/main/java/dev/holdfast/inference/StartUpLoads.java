package dev.holdfast.inference;

import dev.holdfast.control.GateReport;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Rejection;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The models that the store's pointer names, loaded once when the process starts. Their lanes are entered before anybody can ask for
 * a change: whatever is flipped or retired while they load is newer than the pointer that was read, and stays.
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

    /** Announces the loads; {@link #run} must follow. */
    StartUpLoads(ModelHost models, Pointer.Readable pointer) {
        this.models = models;
        this.byDefault = pointer.byDefault();
        models.keep(new ServingSet(byDefault, pointer.models().keySet()));
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
        }
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
