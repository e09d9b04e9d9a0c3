/** A stand-in whose keys and counters are files. It says so in everything that it reports. */
@NullMarked
package dev.holdfast.tee.software;

import org.jspecify.annotations.NullMarked;
