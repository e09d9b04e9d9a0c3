/** What a package has beside programs, made from what the programs say of themselves: manual pages, completions, bills of materials. Runs while packages are built, never on a device. */
@NullMarked
package dev.holdfast.packaging;

import org.jspecify.annotations.NullMarked;
