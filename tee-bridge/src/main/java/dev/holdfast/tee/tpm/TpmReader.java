package dev.holdfast.tee.tpm;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;

/**
 * Reads the TPM's big-endian structures (TPM 2.0 Library Part 2). No length is believed before that many bytes are known
 * to be there. Not thread-safe.
 */
final class TpmReader {
    private final byte[] bytes;
    private final int end;
    private int at;

    TpmReader(byte[] bytes) {
        this(bytes, 0, bytes.length);
    }

    private TpmReader(byte[] bytes, int at, int end) {
        this.bytes = bytes;
        this.at = at;
        this.end = end;
    }

    int u8() throws RejectedException {
        need(1);
        return bytes[at++] & 0xff;
    }

    int u16() throws RejectedException {
        return u8() << 8 | u8();
    }

    /** An unsigned 32-bit value. */
    long u32() throws RejectedException {
        return (long) u16() << 16 | u16();
    }

    /** 64 bits as they are; the sign bit is the caller's business. */
    long u64() throws RejectedException {
        return u32() << 32 | u32();
    }

    Binary bytes(int length) throws RejectedException {
        need(length);
        Binary value = Binary.copyOf(bytes, at, length);
        at += length;
        return value;
    }

    /** A TPM2B: a 16-bit size and that many bytes. */
    Binary sized(int maxBytes) throws RejectedException {
        int size = u16();
        if (size > maxBytes) {
            throw malformed("a field of " + size + " bytes, at most " + maxBytes);
        }
        return bytes(size);
    }

    /** What is left, without moving. */
    int remaining() {
        return end - at;
    }

    void end() throws RejectedException {
        if (at != end) {
            throw malformed((end - at) + " bytes too many");
        }
    }

    RejectedException malformed(String detail) {
        return new RejectedException(Code.TEE_RESPONSE, detail, at);
    }

    private void need(int length) throws RejectedException {
        if (length > end - at) {
            throw malformed(length + " bytes are expected, " + (end - at) + " are there");
        }
    }
}
