/** Who may work in the state directory, and when. Knows the directory and nothing of what the agent keeps there. */
@NullMarked
package dev.holdfast.agent.state;

import org.jspecify.annotations.NullMarked;
