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
}
