/**
 * Which model serves on a device, measured, logged, and proved to a remote verifier (RATS architecture, RFC 9334).
 *
 * <p>On the device {@link dev.holdfast.attestation.EventLog} extends every change of the serving model into a register
 * of the TEE, and {@link dev.holdfast.attestation.Attester} answers a nonce with evidence: EAT claims (RFC 9711) in a
 * COSE_Sign1 (RFC 9052), bound to a TPM quote. The fleet's side, which
 * enrols keys and appraises evidence, is {@link dev.holdfast.attestation.verify}.
 */
@NullMarked
package dev.holdfast.attestation;

import org.jspecify.annotations.NullMarked;
