/** What {@code fleet.json} says of the broker and of the log, and the link that is made of it. */
@NullMarked
package dev.holdfast.fleet.settings;

import org.jspecify.annotations.NullMarked;
