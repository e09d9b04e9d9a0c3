package dev.holdfast.trust.client;

import dev.holdfast.tee.AnchorStore;
import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.MonotonicCounter;

/**
 * What the trust client takes from the TEE.
 *
 * @param store holds the factory root's hash
 * @param verifier checks the ECDSA member of each hybrid signature inside the TEE
 * @param signer authenticates the state record
 * @param generation counts the generations of the state record, which holds the floors of the security epoch
 */
public record TrustAnchors(
        AnchorStore store, AnchorVerifier verifier, DeviceSigner signer, MonotonicCounter generation) {}
