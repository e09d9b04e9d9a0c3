package dev.holdfast.agent;

import dev.holdfast.agent.pace.Alarm;
import dev.holdfast.control.Pointer;
import dev.holdfast.link.LinkStatus;
import dev.holdfast.wire.Rejection;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.SortedMap;
import java.util.stream.Collectors;

/**
 * What only the update loop knows of the agent, at a moment.
 *
 * @param phase of the loop, or of the models where one of them is at work or waits
 * @param connected whether the broker is reached
 * @param enrolled whether the fleet knows this device's keys, since the agent's start
 * @param lastRejection what was refused last, until something succeeds; of a model where the fleet refused nothing
 * @param waits why the loop or a model waits, where something was refused and it goes on by itself
 * @param models the state of each model
 * @param waiting what the loop waits for; empty while it looks
 * @param lastLook when a look at the fleet last left nothing to do; empty before one did
 * @param link how the link to the broker is; empty before there is one
 */
record AgentState(
        Phase phase,
        boolean connected,
        boolean enrolled,
        Optional<Refused> lastRejection,
        Optional<ModelWork.Wait> waits,
        SortedMap<String, ModelWork.State> models,
        Optional<Alarm.Waiting> waiting,
        Optional<Instant> lastLook,
        Optional<LinkStatus> link) {
    /**
     * What was refused.
     *
     * @param at when it was last; whoever ordered something since can tell by it whether that was refused, or what was there before
     */
    record Refused(Rejection reason, Instant at) {
        static Refused now(Rejection reason) {
            return new Refused(reason, Instant.now());
        }
    }

    /** One line for people: {@code idle; serves intent@1.0.0; the broker is not reached; waits because of INS-DISK until ...}. */
    String sentence(Pointer pointer) {
        String serving = pointer.models().values().stream()
                .map(entry -> entry.serving().id())
                .collect(Collectors.joining(", "));
        return phase.word()
                + (serving.isEmpty() ? "; no model yet" : "; serves " + serving)
                + (connected ? "" : "; the broker is not reached")
                + waits.map(wait -> "; waits because of " + wait.reason().code().id() + " until "
                                + wait.until().truncatedTo(ChronoUnit.SECONDS))
                        .orElse("");
    }
}
