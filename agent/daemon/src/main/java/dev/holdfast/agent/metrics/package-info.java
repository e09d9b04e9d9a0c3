/** The agent in numbers, by Prometheus' text form: what an operator alarms on. */
@NullMarked
package dev.holdfast.agent.metrics;

import org.jspecify.annotations.NullMarked;
