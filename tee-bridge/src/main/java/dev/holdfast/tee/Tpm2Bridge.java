package dev.holdfast.tee;

/** A TPM 2.0. */
public final class Tpm2Bridge {
    private Tpm2Bridge() {}

    /** Connects with {@link Tpm2Options#DEFAULT}. */
    public static TeeBridge open(TpmAddress address) throws TeeException {
        return open(address, Tpm2Options.DEFAULT);
    }

    /** Connects, starts the TPM up where needed, and recreates the keys. */
    public static TeeBridge open(TpmAddress address, Tpm2Options options) throws TeeException {
        throw new TeeException(dev.holdfast.wire.Code.TEE_UNAVAILABLE, "not yet: " + address + options);
    }
}
