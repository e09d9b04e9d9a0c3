package dev.holdfast.tee.tpm;

import dev.holdfast.wire.Binary;
import java.io.ByteArrayOutputStream;

/** Writes the TPM's big-endian structures (TPM 2.0 Library Part 2). Not thread-safe. */
public final class TpmWriter {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    public TpmWriter u8(int value) {
        out.write(value);
        return this;
    }

    TpmWriter u16(int value) {
        return u8(value >>> 8).u8(value);
    }

    TpmWriter u32(long value) {
        return u16((int) (value >>> 16)).u16((int) value);
    }

    TpmWriter u64(long value) {
        return u32(value >>> 32).u32(value);
    }

    public TpmWriter bytes(byte[] value) {
        out.writeBytes(value);
        return this;
    }

    TpmWriter bytes(Binary value) {
        return bytes(value.toArray());
    }

    /** A TPM2B. */
    TpmWriter sized(byte[] value) {
        return u16(value.length).bytes(value);
    }

    TpmWriter sized(Binary value) {
        return sized(value.toArray());
    }

    public byte[] toArray() {
        return out.toByteArray();
    }

    Binary toBinary() {
        return Binary.copyOf(toArray());
    }
}
