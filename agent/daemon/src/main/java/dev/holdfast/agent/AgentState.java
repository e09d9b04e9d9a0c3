package dev.holdfast.agent;

import dev.holdfast.wire.Rejection;
import java.util.Optional;

/**
 * What only the update loop knows of the agent, at a moment.
 *
 * @param connected whether the broker is reached
 * @param enrolled whether the fleet knows this device's keys, since the agent's start
 * @param lastRejection what was refused last, until something succeeds
 */
record AgentState(Phase phase, boolean connected, boolean enrolled, Optional<Rejection> lastRejection) {}
