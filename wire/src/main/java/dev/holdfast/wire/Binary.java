package dev.holdfast.wire;

import java.util.Arrays;
import java.util.HexFormat;

/** Immutable bytes with value equality, for use in records. */
public final class Binary {
    private static final HexFormat HEX = HexFormat.of();
    private static final Binary EMPTY = new Binary(new byte[0]);

    private final byte[] bytes;

    private Binary(byte[] bytes) {
        this.bytes = bytes;
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
        return bytes.length;
    }

    /** A fresh copy that the caller may change. */
    public byte[] toArray() {
        return bytes.clone();
    }

    /** Lower-case hexadecimal. */
    public String hex() {
        return HEX.formatHex(bytes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Binary binary && Arrays.equals(bytes, binary.bytes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bytes);
    }

    @Override
    public String toString() {
        return bytes.length <= 64 ? hex() : bytes.length + " bytes";
    }
}
