package dev.holdfast.wire;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;

/** Immutable bytes with value equality, for use in records. Nothing that it hands out lets a caller change them. */
public final class Binary {
    private static final HexFormat HEX = HexFormat.of();
    private static final Binary EMPTY = new Binary(new byte[0]);

    private final byte[] bytes;
    private final int offset;
    private final int length;

    private Binary(byte[] bytes) {
        this(bytes, 0, bytes.length);
    }

    private Binary(byte[] bytes, int offset, int length) {
        this.bytes = bytes;
        this.offset = offset;
        this.length = length;
    }

    /** A part of an array that nobody changes any more; keeps the whole array alive. */
    static Binary view(byte[] bytes, int offset, int length) {
        return new Binary(bytes, offset, length);
    }

    /** A copy of {@code bytes}. */
    public static Binary copyOf(byte[] bytes) {
        return new Binary(bytes.clone());
    }

    /** A copy of {@code length} bytes from {@code offset}. */
    public static Binary copyOf(byte[] bytes, int offset, int length) {
        return new Binary(Arrays.copyOfRange(bytes, offset, offset + length));
    }

    /** The bytes that {@code hex} (lower or upper case, no separators) spells. */
    public static Verdict<Binary> fromHex(String hex) {
        try {
            return Verdict.accepted(new Binary(HEX.parseHex(hex)));
        } catch (IllegalArgumentException e) {
            return Verdict.rejected(Code.WIRE_FIELD, "not hexadecimal");
        }
    }

    public static Binary empty() {
        return EMPTY;
    }

    public int length() {
        return length;
    }

    /** A fresh copy that the caller may change. */
    public byte[] toArray() {
        return Arrays.copyOfRange(bytes, offset, offset + length);
    }

    /** The bytes themselves, to be read without a copy. */
    public ByteBuffer toBuffer() {
        return ByteBuffer.wrap(bytes, offset, length).slice().asReadOnlyBuffer();
    }

    /** Hashes the bytes without a copy of them. */
    public void update(MessageDigest digest) {
        digest.update(bytes, offset, length);
    }

    /** Lower-case hexadecimal. */
    public String hex() {
        return HEX.formatHex(bytes, offset, offset + length);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Binary binary
                && Arrays.equals(
                        bytes, offset, offset + length, binary.bytes, binary.offset, binary.offset + binary.length);
    }

    @Override
    public int hashCode() {
        return ByteBuffer.wrap(bytes, offset, length).hashCode();
    }

    @Override
    public String toString() {
        return length <= 64 ? hex() : length + " bytes";
    }
}
