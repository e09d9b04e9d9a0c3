/** The verifier: enrolment of keys, and the appraisal of evidence against a policy. It needs no TEE. */
@NullMarked
package dev.holdfast.attestation.verify;

import org.jspecify.annotations.NullMarked;
