package dev.holdfast.gguf;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads little-endian values one after another; each read is checked against the end of the file first. */
final class GgufCursor {
    private final MemorySegment file;
    private long position;

    GgufCursor(MemorySegment file) {
        this.file = file;
    }

    long position() {
        return position;
    }

    /** The next {@code bytes} of the file as a view. */
    MemorySegment take(long bytes) throws RejectedException {
        if (bytes < 0 || bytes > file.byteSize() - position) {
            throw new RejectedException(
                    Code.GGUF_FORMAT, "the file ends inside a value of " + bytes + " bytes", position);
        }
        MemorySegment slice = file.asSlice(position, bytes);
        position += bytes;
        return slice;
    }

    /** A view on bytes that were read already. */
    MemorySegment between(long from, long to) {
        return file.asSlice(from, to - from);
    }

    int u8() throws RejectedException {
        return Byte.toUnsignedInt(take(1).get(ValueLayout.JAVA_BYTE, 0));
    }

    short i16() throws RejectedException {
        return take(2).get(LittleEndian.SHORT, 0);
    }

    int i32() throws RejectedException {
        return take(4).get(LittleEndian.INT, 0);
    }

    long i64() throws RejectedException {
        return take(8).get(LittleEndian.LONG, 0);
    }

    /** A 64-bit count or length that must not be beyond {@code max}; a negative one counts as huge. */
    long count(long max, String what) throws RejectedException {
        long at = position;
        long value = i64();
        if (value < 0 || value > max) {
            throw new RejectedException(
                    Code.GGUF_LIMIT, what + " is " + Long.toUnsignedString(value) + ", at most " + max, at);
        }
        return value;
    }

    /** A string of well-formed UTF-8. */
    String text(int maxBytes, String what) throws RejectedException {
        long length = count(maxBytes, "the length of " + what);
        long at = position;
        byte[] bytes = take(length).toArray(ValueLayout.JAVA_BYTE);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new RejectedException(Code.GGUF_FORMAT, what + " is not valid UTF-8", at);
        }
    }

    RejectedException malformed(String detail) {
        return new RejectedException(Code.GGUF_FORMAT, detail, position);
    }
}
