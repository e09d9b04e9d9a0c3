/** A repository in one file, for devices that no network reaches: reader and writer. */
@NullMarked
package dev.holdfast.trust.bundle;

import org.jspecify.annotations.NullMarked;
