/**
 * The operator's side. Metadata follows TUF 1.0.34 with a Director in the manner of Uptane; answers travel as
 * {@code link} messages; evidence is appraised by {@code attestation}. Everything is kept in one directory of plain files.
 */
@NullMarked
package dev.holdfast.fleet;

import org.jspecify.annotations.NullMarked;
