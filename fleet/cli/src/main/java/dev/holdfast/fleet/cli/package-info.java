/** The {@code fleet} command. */
@NullMarked
package dev.holdfast.fleet.cli;

import org.jspecify.annotations.NullMarked;
