package dev.holdfast.trust.client;

import dev.holdfast.tee.AnchorStore;
import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.MonotonicCounter;
import java.util.Optional;

/**
 * What the trust client takes from the TEE.
 *
 * @param store holds the factory root's hash
 * @param verifier checks the ECDSA member of each hybrid signature inside the TEE
 * @param signer authenticates the state record
 * @param epochFloor lowest security epoch that this device accepts
 * @param generation counts the generations of the state record; without it a disk put back as a whole goes unnoticed
 */
public record TrustAnchors(
        AnchorStore store,
        AnchorVerifier verifier,
        DeviceSigner signer,
        MonotonicCounter epochFloor,
        Optional<MonotonicCounter> generation) {
    /** For a TEE with one counter only. */
    public TrustAnchors(AnchorStore store, AnchorVerifier verifier, DeviceSigner signer, MonotonicCounter epochFloor) {
        this(store, verifier, signer, epochFloor, Optional.empty());
    }
}
