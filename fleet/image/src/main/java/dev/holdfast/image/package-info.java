/**
 * Container images of the programs: the OCI image layout (image specification 1.1), its signature in cosign's form, its SLSA provenance in
 * a DSSE envelope, and its bill of materials. Both sides are here: what {@code ./dev image} writes, {@code fleet image verify} reads.
 * Models that are packaged as OCI artifacts are read, too.
 */
@NullMarked
package dev.holdfast.image;

import org.jspecify.annotations.NullMarked;
