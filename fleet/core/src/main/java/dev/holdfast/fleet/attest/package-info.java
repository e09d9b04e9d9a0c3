/**
 * The fleet as a verifier that asks: when which device is asked, by whom, and what is kept of the answer. Appraisal itself is
 * {@code attestation}'s.
 */
@NullMarked
package dev.holdfast.fleet.attest;

import org.jspecify.annotations.NullMarked;
