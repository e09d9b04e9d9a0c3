/** The health gate: what a model must show before it may serve, and the publisher's reference that it is held against. */
@NullMarked
package dev.holdfast.engine.gate;

import org.jspecify.annotations.NullMarked;
