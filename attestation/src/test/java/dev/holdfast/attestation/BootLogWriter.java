package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Writes crypto-agile firmware logs with SHA-1 and SHA-256, and lists of measured files. */
final class BootLogWriter {
    static final int EV_NO_ACTION = 3;
    static final int EV_SEPARATOR = 4;
    static final int EV_IPL = 13;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    BootLogWriter() {
        byte[] spec = ByteBuffer.allocate(37)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put("Spec ID Event03\0".getBytes(StandardCharsets.US_ASCII))
                .putInt(0) // client platform
                .put((byte) 0)
                .put((byte) 2) // version 2.0
                .put((byte) 0)
                .put((byte) 2) // UINTN of 64 bits
                .putInt(2)
                .putShort((short) 0x0004)
                .putShort((short) 20)
                .putShort((short) 0x000b)
                .putShort((short) 32)
                .put((byte) 0)
                .array();
        out.writeBytes(ByteBuffer.allocate(32 + spec.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0)
                .putInt(EV_NO_ACTION)
                .put(new byte[20])
                .putInt(spec.length)
                .put(spec)
                .array());
    }

    BootLogWriter event(int pcr, int type, byte[] sha256, byte[] data) {
        out.writeBytes(ByteBuffer.allocate(12 + 22 + 34 + 4 + data.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(pcr)
                .putInt(type)
                .putInt(2)
                .putShort((short) 0x0004)
                .put(new byte[20])
                .putShort((short) 0x000b)
                .put(sha256)
                .putInt(data.length)
                .put(data)
                .array());
        return this;
    }

    /** A separator, whose digest is over its data. */
    BootLogWriter separator(int pcr) {
        byte[] data = new byte[4];
        return event(pcr, EV_SEPARATOR, Sha256.of(data).toArray(), data);
    }

    Binary log() {
        return Binary.copyOf(out.toByteArray());
    }

    /** A line of {@code ascii_runtime_measurements}. */
    static String ima(String path, Sha256 digest) {
        return "10 1111111111111111111111111111111111111111 ima-ng sha256:" + digest + " " + path + "\n";
    }
}
