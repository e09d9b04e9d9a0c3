/** A broker for machines that have none: development and demonstration only, never part of a device. */
@NullMarked
package dev.holdfast.broker;

import org.jspecify.annotations.NullMarked;
