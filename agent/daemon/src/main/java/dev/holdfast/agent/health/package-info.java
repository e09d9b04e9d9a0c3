/** Whether the agent is of use, as the service manager is told. Knows the update loop's pulse and the control socket, and nothing else of the agent. */
@NullMarked
package dev.holdfast.agent.health;

import org.jspecify.annotations.NullMarked;
