package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.rollout.Execution;
import dev.holdfast.fleet.rollout.ExecutionState;
import dev.holdfast.fleet.rollout.RingCounts;
import dev.holdfast.fleet.rollout.RolloutPlan;
import dev.holdfast.fleet.rollout.RolloutRecord;
import dev.holdfast.terminal.Table;
import dev.holdfast.wire.Json;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;

/** How a rollout is shown, to people and as JSON. */
final class RolloutView {
    private RolloutView() {}

    static ObjectNode of(RolloutRecord rollout, SortedMap<Integer, RingCounts> counts) {
        ObjectNode json = Json.object()
                .put("rollout", rollout.id())
                .put("state", rollout.state().name());
        rollout.pausedBy().ifPresent(by -> json.put("pausedBy", by.name()));
        json.put("why", rollout.why())
                .put("createdAt", rollout.createdAt().toString())
                .put("createdBy", rollout.createdBy());
        rollout.startedAt().ifPresent(at -> json.put("startedAt", at.toString()));
        rollout.endedAt().ifPresent(at -> json.put("endedAt", at.toString()));
        json.put("goesBack", rollout.goesBack());
        ArrayNode rings = json.putArray("rings");
        for (int i = 0; i < rollout.plan().rings().size(); i++) {
            ObjectNode ring = rings.addObject()
                    .put("name", rollout.plan().rings().get(i).name())
                    .put("open", i <= rollout.ring());
            ObjectNode states = ring.putObject("devices");
            for (Map.Entry<ExecutionState, Long> one :
                    counts.getOrDefault(i, new RingCounts(Map.of())).states().entrySet()) {
                states.put(one.getKey().name(), one.getValue());
            }
        }
        json.set("plan", rollout.plan().toJson());
        return json;
    }

    static ObjectNode of(RolloutRecord rollout, Execution one) {
        ObjectNode json = Json.object()
                .put("device", one.device())
                .put("ring", rollout.plan().rings().get(one.ring()).name())
                .put("state", one.state().name())
                .put("since", one.since().toString())
                .put("attempts", one.attempts());
        one.deadline().ifPresent(at -> json.put("deadline", at.toString()));
        one.versionBefore().ifPresent(version -> json.put("versionBefore", version));
        one.code().ifPresent(code -> json.put("code", code));
        if (!one.detail().isEmpty()) {
            json.put("detail", one.detail());
        }
        one.provedAt().ifPresent(at -> json.put("provedAt", at.toString()));
        return json.put("wentBack", one.wentBack());
    }

    static Table rings(RolloutRecord rollout, SortedMap<Integer, RingCounts> counts) {
        Table table = new Table("RING", "TAKES", "STATE", "DEVICES");
        for (int i = 0; i < rollout.plan().rings().size(); i++) {
            RolloutPlan.Ring ring = rollout.plan().rings().get(i);
            table.row(
                    ring.name(),
                    ring.selector().toString(),
                    i < rollout.ring() ? "passed" : i == rollout.ring() ? "open" : "closed",
                    i > rollout.ring()
                            ? "-"
                            : counts.getOrDefault(i, new RingCounts(Map.of())).toString());
        }
        return table;
    }

    /** What the plan asks for, a sentence each. */
    static List<String> rules(RolloutPlan plan) {
        return List.of(
                "A ring passes when " + percent(plan.gate().endedPercent()) + " of its devices have ended, at most "
                        + percent(plan.gate().failedPercent()) + " failed, "
                        + percent(plan.gate().attestedPercent())
                        + " of those that say they serve it are proved by evidence"
                        + (plan.gate().soak().isZero()
                                ? "."
                                : ", and " + plan.gate().soak().toSeconds() + " s have passed."),
                "It ends when more than " + percent(plan.abort().failedPercent()) + " of at least "
                        + plan.abort().atLeast() + " devices failed"
                        + (plan.abort().counterOrder() ? ", and then devices are ordered back." : "."),
                "A device fails that says nothing for "
                        + plan.deadlines().notified().toSeconds() + " s, is at it for "
                        + plan.deadlines().inProgress().toSeconds() + " s, or shows no proof for "
                        + plan.deadlines().confirmed().toSeconds() + " s.");
    }

    private static String percent(double percent) {
        return (percent == Math.rint(percent) ? Long.toString((long) percent) : Double.toString(percent)) + " %";
    }

    /** Whether it keeps the rollout from going on, or tells why it did not. */
    static boolean isInTheWay(Execution one) {
        return one.state() != ExecutionState.ATTESTED && one.state() != ExecutionState.CANCELED;
    }

    static String says(Execution one) {
        return one.device() + " since " + one.since()
                + one.code().map(code -> ", " + code).orElse("")
                + (one.detail().isEmpty() ? "" : ": " + one.detail());
    }
}
