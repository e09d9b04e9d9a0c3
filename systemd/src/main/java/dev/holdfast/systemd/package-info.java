/** Lets systemd itself judge the unit files: their syntax, and how much of the system each service could reach. */
@NullMarked
package dev.holdfast.systemd;

import org.jspecify.annotations.NullMarked;
