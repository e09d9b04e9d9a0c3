package dev.holdfast.gguf;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * A metadata value. Arrays are views on the mapped file, so that a vocabulary costs eight bytes of heap for each word;
 * they must not be used after the file's arena is closed.
 */
public sealed interface GgufValue {

    /** A whole number; an unsigned 64-bit one beyond {@link Long#MAX_VALUE} is refused by the reader. */
    record Whole(GgufType type, long value) implements GgufValue {
        public Whole {
            if (!type.isWhole()) {
                throw new IllegalArgumentException(type + " is not a whole number");
            }
        }
    }

    /** A floating-point number. */
    record Real(GgufType type, double value) implements GgufValue {
        public Real {
            if (type != GgufType.FLOAT32 && type != GgufType.FLOAT64) {
                throw new IllegalArgumentException(type + " is no floating-point number");
            }
        }
    }

    record Flag(boolean value) implements GgufValue {}

    record Text(String value) implements GgufValue {}

    /** An array of numbers or flags; {@code data} has {@code size * type.bytes()} little-endian bytes. */
    record Numbers(GgufType type, int size, MemorySegment data) implements GgufValue {
        public Numbers {
            if (type.bytes() == 0 || data.byteSize() != (long) size * type.bytes()) {
                throw new IllegalArgumentException(size + " of " + type + " in " + data.byteSize() + " bytes");
            }
        }

        /** The element as a whole number; a floating-point one is cut, a flag is 0 or 1. */
        public long whole(int index) {
            long at = (long) index * type.bytes();
            return switch (type) {
                case UINT8 -> Byte.toUnsignedLong(data.get(ValueLayout.JAVA_BYTE, at));
                case INT8, BOOL -> data.get(ValueLayout.JAVA_BYTE, at);
                case UINT16 -> Short.toUnsignedLong(data.get(LittleEndian.SHORT, at));
                case INT16 -> data.get(LittleEndian.SHORT, at);
                case UINT32 -> Integer.toUnsignedLong(data.get(LittleEndian.INT, at));
                case INT32 -> data.get(LittleEndian.INT, at);
                case UINT64, INT64 -> data.get(LittleEndian.LONG, at);
                case FLOAT32, FLOAT64 -> (long) real(index);
                case STRING, ARRAY -> throw new IllegalStateException();
            };
        }

        /** The element as a floating-point number. */
        public double real(int index) {
            long at = (long) index * type.bytes();
            return switch (type) {
                case FLOAT32 -> Float.intBitsToFloat(data.get(LittleEndian.INT, at));
                case FLOAT64 -> Double.longBitsToDouble(data.get(LittleEndian.LONG, at));
                case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64, BOOL -> whole(index);
                case STRING, ARRAY -> throw new IllegalStateException();
            };
        }

        /** An array that lives on the heap, for writing. */
        public static Numbers ofFloats(float... values) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[values.length * 4]);
            for (int i = 0; i < values.length; i++) {
                bytes.set(LittleEndian.INT, 4L * i, Float.floatToRawIntBits(values[i]));
            }
            return new Numbers(GgufType.FLOAT32, values.length, bytes);
        }

        /** An array that lives on the heap, for writing. */
        public static Numbers ofInts(int... values) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[values.length * 4]);
            for (int i = 0; i < values.length; i++) {
                bytes.set(LittleEndian.INT, 4L * i, values[i]);
            }
            return new Numbers(GgufType.INT32, values.length, bytes);
        }
    }

    /** An array of strings. {@code starts} has one entry more than there are strings. */
    final class Texts implements GgufValue {
        private static final int LENGTH_BYTES = 8;

        private final MemorySegment data;
        private final long[] starts;

        /**
         * {@code data} holds each string as it is in the file, an eight-byte length and then its bytes; string
         * {@code i} begins at {@code starts[i]} and ends where the next one begins.
         */
        Texts(MemorySegment data, long[] starts) {
            this.data = data;
            this.starts = starts;
        }

        /** An array that lives on the heap, for writing. */
        public static Texts of(List<String> texts) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            long[] starts = new long[texts.size() + 1];
            for (int i = 0; i < texts.size(); i++) {
                byte[] bytes = texts.get(i).getBytes(StandardCharsets.UTF_8);
                byte[] length = new byte[LENGTH_BYTES];
                ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).putLong(bytes.length);
                out.writeBytes(length);
                out.writeBytes(bytes);
                starts[i + 1] = out.size();
            }
            return new Texts(MemorySegment.ofArray(out.toByteArray()), starts);
        }

        public int size() {
            return starts.length - 1;
        }

        /** The bytes of a string as they are in the file. */
        public byte[] bytes(int index) {
            return data.asSlice(starts[index] + LENGTH_BYTES, starts[index + 1] - starts[index] - LENGTH_BYTES)
                    .toArray(ValueLayout.JAVA_BYTE);
        }

        /** The string; malformed UTF-8 becomes U+FFFD. */
        public String text(int index) {
            return new String(bytes(index), StandardCharsets.UTF_8);
        }

        MemorySegment data() {
            return data;
        }
    }
}
