package dev.holdfast.tee;

import java.util.Optional;

/**
 * The device's root of trust. What a kind of TEE cannot do is an absent value, never an exception. Every operation may
 * take seconds on real hardware and fails with {@link TeeException}; none belongs on the inference path. Thread-safe:
 * a bridge serialises its commands on one thread of its own.
 */
public interface TeeBridge extends AutoCloseable {
    /** What this bridge is and how far its word can be trusted. */
    TeeDescription describe();

    /** The unrestricted signing key of the device (ECDSA P-256), created on first use and the same ever after. */
    Optional<DeviceSigner> signer();

    /** Checks ES256 signatures inside the TEE. */
    Optional<AnchorVerifier> anchorVerifier();

    /** What provisioning stored: the factory root's hash. */
    Optional<AnchorStore> anchorStore();

    /** Seals small secrets to this device. */
    Optional<Sealer> sealer();

    /**
     * Counts the generations of the signed record on the disk, which holds what was seen and the models' floors of the
     * security epoch: it tells a copy that was put back.
     */
    Optional<MonotonicCounter> stateCounter();

    /** The register into which model events are extended. */
    Optional<MeasurementRegister> register();

    /** Signs the register's value together with a verifier's challenge. */
    Optional<Quoter> quoter();

    /** Proves to a fleet that attestation key and endorsement key live in one TPM. */
    Optional<Enroller> enroller();

    /** What there is in it, for a person. Nothing is made by looking. */
    default TeeInventory inventory() throws TeeException {
        return TeeInventory.of(this);
    }

    @Override
    void close();
}
