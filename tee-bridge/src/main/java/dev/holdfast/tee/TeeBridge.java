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
    default Optional<DeviceSigner> signer() {
        return Optional.empty();
    }

    /** Checks ES256 signatures inside the TEE. */
    default Optional<AnchorVerifier> anchorVerifier() {
        return Optional.empty();
    }

    /** What provisioning stored: the factory root's hash. */
    default Optional<AnchorStore> anchorStore() {
        return Optional.empty();
    }

    /** Seals small secrets to this device. */
    default Optional<Sealer> sealer() {
        return Optional.empty();
    }

    /**
     * Counts the generations of the signed record on the disk, which holds what was seen and the models' floors of the
     * security epoch: it tells a copy that was put back.
     */
    default Optional<MonotonicCounter> stateCounter() {
        return Optional.empty();
    }

    /** The register into which model events are extended. */
    default Optional<MeasurementRegister> register() {
        return Optional.empty();
    }

    /** Signs the register's value together with a verifier's challenge. */
    default Optional<Quoter> quoter() {
        return Optional.empty();
    }

    /** Proves to a fleet that attestation key and endorsement key live in one TPM. */
    default Optional<Enroller> enroller() {
        return Optional.empty();
    }

    /** Makes and removes anchor and counter. */
    default Optional<Provisioner> provisioner() {
        return Optional.empty();
    }

    /** What there is in it, for a person. Nothing is made by looking. */
    default TeeInventory inventory() throws TeeException {
        return TeeInventory.of(this);
    }

    @Override
    void close();
}
