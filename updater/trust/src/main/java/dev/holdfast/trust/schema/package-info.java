/** The documents of TUF 1.0.34 section 4 and of a Director: each with its reader and its writer; keys, signatures, thresholds of families. */
@NullMarked
package dev.holdfast.trust.schema;

import org.jspecify.annotations.NullMarked;
