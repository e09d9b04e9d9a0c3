package dev.holdfast.tee;

import dev.holdfast.wire.Sha256;

/** A SHA-256 register: {@code extend} replaces its value by SHA-256(value || digest). Zero after a start of the TEE. */
public interface MeasurementRegister {
    /** The number of the PCR, or the NV index. */
    int index();

    Sha256 read() throws TeeException;

    void extend(Sha256 digest) throws TeeException;

    /** Whether software on the device can set the register back without a restart of the TEE. */
    boolean resettable();

    /**
     * How often the TEE was reset so far. The register's value belongs to this reset: when the number has changed, what
     * was extended before is gone. 0 where the TEE does not count.
     */
    default long resetCount() throws TeeException {
        return 0;
    }
}
