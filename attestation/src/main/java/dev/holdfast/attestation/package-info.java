@NullMarked
package dev.holdfast.attestation;

import org.jspecify.annotations.NullMarked;
