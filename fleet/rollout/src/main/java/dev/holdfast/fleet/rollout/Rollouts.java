package dev.holdfast.fleet.rollout;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.FleetAudit;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Clock;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** What a person does to rollouts. Each act is audited before it is done. Thread-safe. */
public final class Rollouts {
    private final RolloutStore store;
    private final Fleet fleet;
    private final FleetAudit audit;
    private final Clock clock;

    public Rollouts(RolloutStore store, Fleet fleet, FleetAudit audit, Clock clock) {
        this.store = store;
        this.fleet = fleet;
        this.audit = audit;
        this.clock = clock;
    }

    /**
     * Makes a rollout; nothing is ordered before it is started. {@code CFG-INVALID} where the name does not hold, {@code FLT-EXISTS} where it
     * is taken, {@code UPD-TARGET-UNKNOWN} where the release is not published.
     */
    public RolloutRecord create(String id, RolloutPlan plan) throws IOException, RejectedException {
        if (!ModelName.isName(id)) {
            throw new RejectedException(
                    Code.CFG_INVALID, "a rollout is named by letters, digits, '.', '_', '+' or '-'");
        }
        fleet.digest(plan.model(), plan.version());
        String by = String.valueOf(System.getProperty("user.name"));
        store.create(RolloutRecord.draft(id, plan, by, clock.instant()));
        act(id, "rollout-create", plan.toJson());
        return store.get(id);
    }

    /**
     * Lets it begin, at its time or at once. Another rollout of the model that is under way is superseded. {@code CFG-INVALID} where it was
     * started before, or where no device belongs to its first ring.
     */
    public RolloutRecord start(String id) throws IOException, RejectedException {
        RolloutRecord draft = store.get(id);
        if (draft.state() != RolloutState.DRAFT) {
            throw new RejectedException(Code.CFG_INVALID, "rollout " + id + " is " + draft.state() + ", not a DRAFT");
        }
        RolloutPlan plan = draft.plan();
        if (members(draft).getOrDefault(0, 0L) == 0) {
            throw new RejectedException(
                    Code.CFG_INVALID,
                    "no enrolled device belongs to ring "
                            + plan.rings().getFirst().name() + " ("
                            + plan.rings().getFirst().selector() + "), of "
                            + fleet.devices().size()
                            + "; make the ring larger, or give devices its label: fleet devices label");
        }
        act(id, "rollout-start", Json.object());
        Instant now = clock.instant();
        for (RolloutRecord other : store.list()) {
            if (!other.id().equals(id)
                    && other.plan().model().equals(plan.model())
                    && (other.state().isUnderWay() || other.state() == RolloutState.SCHEDULED)) {
                RolloutEngine.end(
                        store, other.id(), RolloutState.SUPERSEDED, false, "rollout " + id + " took its place", now);
            }
        }
        return changed(id, "start", was -> was.started(RolloutState.SCHEDULED, now, "started by a person"));
    }

    /** Orders no more devices; those that are at it go on. */
    public RolloutRecord pause(String id) throws IOException, RejectedException {
        requireUnderWay(id);
        act(id, "rollout-pause", Json.object());
        return changed(id, "pause", was -> was.paused(RolloutRecord.Pause.OPERATOR, "paused by a person"));
    }

    /**
     * Goes on. @param pastGate whether the next ring opens, or the rollout completes, though the gate of the newest one does not pass
     */
    public RolloutRecord resume(String id, boolean pastGate) throws IOException, RejectedException {
        RolloutRecord now = requireUnderWay(id);
        act(id, "rollout-resume", Json.object().put("pastGate", pastGate));
        if (!pastGate) {
            return changed(id, "resume", was -> was.opened(was.ring(), "resumed by a person"));
        }
        if (now.ring() + 1 == now.plan().rings().size()) {
            RolloutEngine.end(
                    store, id, RolloutState.COMPLETED, false, "a person went past the last gate", clock.instant());
            return store.get(id);
        }
        return changed(id, "resume", was -> was.opened(was.ring() + 1, "a person went past the gate"));
    }

    /** Ends it. @param back whether devices are ordered back to what was desired of them before */
    public RolloutRecord abort(String id, boolean back) throws IOException, RejectedException {
        RolloutRecord now = store.get(id);
        if (now.state().hasEnded()) {
            throw new RejectedException(Code.CFG_INVALID, "rollout " + id + " has ended: " + now.state());
        }
        act(id, "rollout-abort", Json.object().put("counterOrder", back));
        RolloutEngine.end(store, id, RolloutState.ABORTED, back, "aborted by a person", clock.instant());
        return store.get(id);
    }

    private RolloutRecord requireUnderWay(String id) throws IOException, RejectedException {
        RolloutRecord now = store.get(id);
        if (!now.state().isUnderWay()) {
            throw new RejectedException(Code.CFG_INVALID, "rollout " + id + " is not under way: it is " + now.state());
        }
        return now;
    }

    private RolloutRecord changed(String id, String kind, RolloutStore.Change change)
            throws IOException, RejectedException {
        return store.together(() -> {
            RolloutRecord next = store.change(id, change);
            store.tell(id, clock.instant(), kind, next.why());
            return next;
        });
    }

    private void act(String id, String act, ObjectNode details) throws IOException, RejectedException {
        ObjectNode line = Json.object().put("rollout", id);
        audit.append(act, "", line.setAll(details));
    }

    /** How many of today's devices belong to each ring. */
    public SortedMap<Integer, Long> members(RolloutRecord rollout) throws IOException, RejectedException {
        Map<String, SortedMap<String, String>> labels = store.labels().all();
        SortedMap<Integer, Long> members = new TreeMap<>();
        for (String device : fleet.devices()) {
            int ring = rollout.plan().ringOf(rollout.id(), device, labels.getOrDefault(device, new TreeMap<>()));
            if (ring >= 0) {
                members.merge(ring, 1L, Long::sum);
            }
        }
        return members;
    }

    /** Gives an enrolled device a label, or takes it; {@code ATT-NOT-ENROLLED} where nobody knows the device. */
    public void label(String device, String name, Optional<String> value) throws IOException, RejectedException {
        if (!fleet.devices().contains(device)) {
            throw new RejectedException(Code.ATT_NOT_ENROLLED, device + " is not enrolled");
        }
        if (!Selector.isLabel(name) || !value.map(Selector::isLabel).orElse(true)) {
            throw new RejectedException(Code.CFG_INVALID, "a label is NAME=VALUE, such as site=berlin");
        }
        store.labels().put(device, name, value);
    }
}
