/** Time in the agent: when its loops look again, and a clock that is not behind what is known. */
@NullMarked
package dev.holdfast.agent.pace;

import org.jspecify.annotations.NullMarked;
