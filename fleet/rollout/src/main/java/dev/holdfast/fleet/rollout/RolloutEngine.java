package dev.holdfast.fleet.rollout;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Subject;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves all rollouts on by one step: looks at the devices, judges the newest ring, opens the next, orders those whose turn it is. All that it
 * knows is in the store and in the fleet's folder, so that it goes on where another process ended. One thread.
 */
public final class RolloutEngine {
    private static final Logger LOG = LoggerFactory.getLogger(RolloutEngine.class);
    /** Devices of one state that a step looks at; the others have their turn in the next ones. */
    private static final int MOST = 10_000;
    /** Orders of one step, so that a step stays short. */
    private static final int MOST_ORDERS = 500;

    private static final Duration MINUTE = Duration.ofMinutes(1);

    private final RolloutStore store;
    private final Fleet fleet;
    private final Clock clock;
    private final QuietLog quiet = new QuietLog(LOG);

    public RolloutEngine(RolloutStore store, Fleet fleet, Clock clock) {
        this.store = store;
        this.fleet = fleet;
        this.clock = clock;
    }

    /** One step of every rollout; one that fails holds up no other. */
    public void step() throws IOException, RejectedException {
        for (RolloutRecord rollout : store.active()) {
            try {
                step(rollout);
            } catch (RejectedException e) {
                quiet.warn("rollout {}: {}", rollout.id(), e.rejection());
            }
        }
    }

    private void step(RolloutRecord rollout) throws IOException, RejectedException {
        Instant now = clock.instant();
        if (rollout.state() == RolloutState.SCHEDULED
                && !rollout.plan().start().map(now::isBefore).orElse(false)) {
            open(rollout, 0, "its time has come", now);
        } else if (rollout.state().isUnderWay()) {
            watch(rollout, now);
            judge(store.get(rollout.id()), now);
        }
        if (rollout.state().hasEnded() && rollout.goesBack()) {
            goBack(rollout, now);
        }
    }

    private void open(RolloutRecord rollout, int ring, String why, Instant now) throws IOException, RejectedException {
        String says = why + "; ring " + rollout.plan().rings().get(ring).name() + " is open";
        store.together(() -> {
            store.change(rollout.id(), was -> was.state().hasEnded() ? was : was.opened(ring, says));
            store.tell(rollout.id(), now, "ring", says);
            return ring;
        });
        LOG.info("rollout {}: {}", rollout.id(), says);
    }

    private void watch(RolloutRecord rollout, Instant now) throws IOException, RejectedException {
        RolloutPlan plan = rollout.plan();
        Watch watch = new Watch(plan, fleet.digest(plan.model(), plan.version()), now);
        List<Execution> before = new ArrayList<>();
        for (ExecutionState state : ExecutionState.values()) {
            if (state.isActive()) {
                before.addAll(store.in(rollout.id(), state, MOST));
            }
        }
        Set<String> enrolled = new HashSet<>(fleet.devices());
        Map<Execution, Execution> moves = new LinkedHashMap<>();
        List<String> unproved = new ArrayList<>();
        for (Execution one : before) {
            Optional<String> desired =
                    enrolled.contains(one.device()) ? fleet.desired(one.device(), plan.model()) : Optional.empty();
            Execution next = watch.look(
                    one, desired, fleet.word(one.device(), plan.model()), fleet.proof(one.device(), plan.model()));
            if (!next.equals(one)) {
                moves.put(one, next);
            }
            if (next.state() == ExecutionState.CONFIRMED && plan.gate().attestedPercent() > 0) {
                unproved.add(one.device());
            }
        }
        move(moves);
        // Once it is on record that they say so: what was asked before proves nothing of it.
        unproved.forEach(fleet::ask);
    }

    private void move(Map<Execution, Execution> moves) throws IOException, RejectedException {
        if (!moves.isEmpty()) {
            store.together(() -> {
                for (Map.Entry<Execution, Execution> one : moves.entrySet()) {
                    store.move(one.getKey(), one.getValue());
                }
                return moves.size();
            });
        }
    }

    private void judge(RolloutRecord rollout, Instant now) throws IOException, RejectedException {
        if (!rollout.state().isUnderWay()) {
            return;
        }
        boolean byPerson = rollout.pausedBy().equals(Optional.of(RolloutRecord.Pause.OPERATOR));
        if (rollout.state() == RolloutState.RUNNING) {
            admit(rollout, now);
        }
        SortedMap<Integer, RingCounts> counts = store.counts(rollout.id());
        RingCounts all = counts.values().stream().reduce(RingCounts.NONE, RingCounts::plus);
        RingCounts newest = counts.getOrDefault(rollout.ring(), RingCounts.NONE);
        Judgement judgement = Judgement.of(
                rollout.plan(), rollout.ring(), newest, all, store.lastEnd(rollout.id(), rollout.ring()), now);
        switch (judgement) {
            case Judgement.Abort(String says) ->
                end(rollout, RolloutState.ABORTED, rollout.plan().abort().counterOrder(), says, now);
            case Judgement.Pass(String says) when !byPerson -> advance(rollout, says, now);
            case Judgement.Pass pass -> say(rollout, pass.says());
            case Judgement.Hold(String says) -> {
                boolean idle = all.underWay() == 0 && all.of(ExecutionState.QUEUED) == 0;
                if (rollout.state() == RolloutState.RUNNING && idle && isJudged(rollout, newest, now)) {
                    store.together(() -> {
                        store.change(rollout.id(), was -> was.paused(RolloutRecord.Pause.GATE, says));
                        store.tell(rollout.id(), now, "gate", says);
                        return says;
                    });
                    LOG.warn("rollout {} is paused by its gate: {}", rollout.id(), says);
                } else {
                    say(rollout, says);
                    if (rollout.state() == RolloutState.RUNNING) {
                        order(rollout, all, now);
                    }
                }
            }
        }
    }

    /** Whether time alone does not change it: proof may come until its deadline, and a rest ends by itself. */
    private boolean isJudged(RolloutRecord rollout, RingCounts newest, Instant now)
            throws IOException, RejectedException {
        boolean rests = store.lastEnd(rollout.id(), rollout.ring())
                .map(end -> now.isBefore(end.plus(rollout.plan().gate().soak())))
                .orElse(false);
        return newest.of(ExecutionState.CONFIRMED) == 0 && !rests;
    }

    private void say(RolloutRecord rollout, String says) throws IOException, RejectedException {
        store.change(rollout.id(), was -> was.state() == rollout.state() ? was.telling(says) : was);
    }

    private void advance(RolloutRecord rollout, String says, Instant now) throws IOException, RejectedException {
        store.tell(rollout.id(), now, "gate", says);
        if (rollout.ring() + 1 < rollout.plan().rings().size()) {
            open(rollout, rollout.ring() + 1, says, now);
        } else {
            end(rollout, RolloutState.COMPLETED, false, says, now);
        }
    }

    private void end(RolloutRecord rollout, RolloutState state, boolean back, String says, Instant now)
            throws IOException, RejectedException {
        end(store, rollout.id(), state, back, says, now);
        if (state == RolloutState.ABORTED) {
            LOG.warn("rollout {} is aborted: {}", rollout.id(), says);
        } else {
            LOG.info("rollout {} is {}: {}", rollout.id(), state, says);
        }
    }

    /** Ends a rollout; devices that were not ordered yet are not ordered any more. One that has ended stays as it is. */
    static void end(RolloutStore store, String id, RolloutState state, boolean back, String says, Instant now)
            throws IOException, RejectedException {
        store.together(() -> {
            if (store.get(id).state().hasEnded()) {
                return id;
            }
            store.change(id, was -> was.ended(state, back, now, says));
            for (Execution queued : store.in(id, ExecutionState.QUEUED, Integer.MAX_VALUE)) {
                store.move(
                        queued,
                        queued.to(
                                ExecutionState.CANCELED,
                                now,
                                Optional.empty(),
                                queued.code(),
                                "the rollout ended before its turn"));
            }
            store.tell(id, now, state.name().toLowerCase(Locale.ROOT), says);
            return id;
        });
    }

    /** Devices that belong to an open ring and are not in the rollout yet: those that came later fall in their place. */
    private void admit(RolloutRecord rollout, Instant now) throws IOException, RejectedException {
        Map<String, SortedMap<String, String>> labels = store.labels().all();
        Map<Integer, Collection<String>> rings = new TreeMap<>();
        for (String device : fleet.devices()) {
            int ring = rollout.plan().ringOf(rollout.id(), device, labels.getOrDefault(device, new TreeMap<>()));
            if (ring >= 0 && ring <= rollout.ring()) {
                rings.computeIfAbsent(ring, any -> new ArrayList<>()).add(device);
            }
        }
        for (Map.Entry<Integer, Collection<String>> ring : rings.entrySet()) {
            store.admit(rollout.id(), ring.getKey(), ring.getValue(), now);
        }
    }

    /** Orders those whose turn it is, as fast as the plan lets. */
    private void order(RolloutRecord rollout, RingCounts all, Instant now) throws IOException, RejectedException {
        RolloutPlan plan = rollout.plan();
        long free = Math.min(
                plan.pace().perMinute(all.confirmed()) - store.orderedSince(rollout.id(), now.minus(MINUTE)),
                plan.pace().atOnce() - all.underWay());
        if (free <= 0) {
            return;
        }
        List<Execution> turn = store.in(rollout.id(), ExecutionState.QUEUED, MOST).stream()
                .filter(one -> !one.deadline().map(now::isBefore).orElse(false))
                .limit(Math.min(free, MOST_ORDERS))
                .toList();
        // What was desired before is on record before it changes, whatever happens in between.
        Map<Execution, Execution> remembered = new LinkedHashMap<>();
        for (Execution one : turn) {
            if (one.attempts() == 0 && one.order() == 0) {
                remembered.put(one, one.remembering(fleet.desired(one.device(), plan.model())));
            }
        }
        move(remembered);
        Set<String> devices = new HashSet<>();
        turn.forEach(one -> devices.add(one.device()));
        Map<Execution, Execution> moves = new LinkedHashMap<>();
        for (Execution one : devices.isEmpty() ? turn : store.in(rollout.id(), ExecutionState.QUEUED, MOST)) {
            if (devices.contains(one.device())) {
                moves.put(one, ordered(one, plan, now));
            }
        }
        move(moves);
    }

    private Execution ordered(Execution one, RolloutPlan plan, Instant now) throws IOException {
        try {
            Optional<Fleet.Word> word = fleet.word(one.device(), plan.model());
            // Nothing new is desired of a device that has it already; it still has to be proved.
            long number = one.attempts() == 0 && one.versionBefore().equals(Optional.of(plan.version()))
                    ? 0
                    : fleet.order(one.device(), plan.model(), plan.version(), plan.terms());
            return one.ordered(number, word, now, now.plus(plan.deadlines().notified()));
        } catch (RejectedException e) {
            quiet.warn("{} is not ordered: {}", Subject.device(one.device()), e.rejection());
            if (e.rejection().code() == Code.FLT_HELD) {
                // Until somebody says what holds after a restore.
                return one.to(
                        ExecutionState.QUEUED,
                        now,
                        Optional.of(now.plus(MINUTE)),
                        Optional.of(Code.FLT_HELD.id()),
                        e.rejection().detail());
            }
            return one.to(
                    ExecutionState.FAILED,
                    now,
                    Optional.empty(),
                    Optional.of(e.rejection().code().id()),
                    e.rejection().detail());
        }
    }

    /** Orders devices back to what was desired of them before, unless somebody desires something else by now. */
    private void goBack(RolloutRecord rollout, Instant now) throws IOException, RejectedException {
        RolloutPlan plan = rollout.plan();
        List<Execution> left = store.toGoBack(rollout.id(), MOST_ORDERS);
        Map<Execution, Execution> moves = new LinkedHashMap<>();
        for (Execution one : left) {
            String said = "";
            try {
                if (fleet.desired(one.device(), plan.model()).equals(Optional.of(plan.version()))) {
                    if (one.versionBefore().isPresent()) {
                        fleet.order(
                                one.device(), plan.model(), one.versionBefore().get(), Optional.empty());
                    } else {
                        fleet.drop(one.device(), plan.model());
                    }
                }
            } catch (RejectedException e) {
                said = "not ordered back: " + e.rejection();
                quiet.warn("{} is {}", Subject.device(one.device()), said);
            }
            moves.put(one, one.orderedBack(said));
        }
        move(moves);
        if (left.size() < MOST_ORDERS) {
            store.together(() -> {
                store.change(rollout.id(), RolloutRecord::isBack);
                store.tell(rollout.id(), now, "back", "every device that was ordered is ordered back");
                return left;
            });
        }
    }
}
