/** When the agent's loops look again: pauses that end early for whoever has something to do, and how long they are. */
@NullMarked
package dev.holdfast.agent.pace;

import org.jspecify.annotations.NullMarked;
