package dev.holdfast.updater.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import io.airlift.compress.v3.zstd.ZstdJavaCompressor;
import io.airlift.compress.v3.zstd.ZstdJavaDecompressor;
import java.util.Arrays;

/**
 * Encodes and decodes one block. A difference payload is a sequence of streams, each {@code i32 length} and a zstd frame:
 * one stream per byte plane of the elements, for Q8_0 two planes of scales and one stream of quants. Arithmetic is on
 * integers only, so every machine makes the same bytes.
 */
final class BlockCodec {
    /** Bytes of a Q8_0 block: an f16 scale and 32 signed quants. */
    static final int Q8_0_BYTES = 34;

    private static final int SCALE_BYTES = 2;

    private BlockCodec() {}

    /** Longest payload that a producer can have a reason to write. */
    static int maxPayloadBytes(int outputBytes) {
        return outputBytes + (outputBytes >> 6) + 4096;
    }

    static byte[] decode(DeltaOp op, byte[] source, byte[] payload, int outputBytes) throws RejectedException {
        return switch (op) {
            case RAW -> {
                if (payload.length != outputBytes) {
                    throw new RejectedException(Code.DLT_PAYLOAD, "a raw payload of another length");
                }
                yield payload;
            }
            case COPY -> {
                if (payload.length != 0) {
                    throw new RejectedException(Code.DLT_PAYLOAD, "a copy has no payload");
                }
                yield source;
            }
            case ZSTD -> expand(payload, 0, payload.length, outputBytes);
            case QDIFF_Q8_0, DIFF_16, DIFF_32 -> add(op, source, streams(op, payload, outputBytes));
        };
    }

    /** The difference payload of {@code next} against {@code source}, both of one length that {@code op} divides. */
    static byte[] encode(DeltaOp op, byte[] source, byte[] next) {
        byte[][] streams = subtract(op, source, next);
        byte[][] frames = new byte[streams.length][];
        int total = 0;
        for (int i = 0; i < streams.length; i++) {
            frames[i] = compress(streams[i]);
            total += 4 + frames[i].length;
        }
        java.nio.ByteBuffer out = java.nio.ByteBuffer.allocate(total);
        for (byte[] frame : frames) {
            out.putInt(frame.length).put(frame);
        }
        return out.array();
    }

    static int elementBytes(DeltaOp op) {
        return switch (op) {
            case QDIFF_Q8_0 -> Q8_0_BYTES;
            case DIFF_16 -> 2;
            case DIFF_32 -> 4;
            case RAW, COPY, ZSTD -> 1;
        };
    }

    /** Lengths of the streams of a block. */
    private static int[] streamBytes(DeltaOp op, int outputBytes) {
        int elements = outputBytes / elementBytes(op);
        return switch (op) {
            case QDIFF_Q8_0 -> new int[] {elements, elements, elements * (Q8_0_BYTES - SCALE_BYTES)};
            case DIFF_16 -> new int[] {elements, elements};
            case DIFF_32 -> new int[] {elements, elements, elements, elements};
            case RAW, COPY, ZSTD -> new int[0];
        };
    }

    private static byte[][] streams(DeltaOp op, byte[] payload, int outputBytes) throws RejectedException {
        if (outputBytes % elementBytes(op) != 0) {
            throw new RejectedException(Code.DLT_FORMAT, "the output is no whole number of elements");
        }
        int[] lengths = streamBytes(op, outputBytes);
        byte[][] streams = new byte[lengths.length][];
        java.nio.ByteBuffer in = java.nio.ByteBuffer.wrap(payload);
        for (int i = 0; i < lengths.length; i++) {
            if (in.remaining() < 4) {
                throw new RejectedException(Code.DLT_PAYLOAD, "a stream is missing", in.position());
            }
            int frame = in.getInt();
            if (frame < 0 || frame > in.remaining()) {
                throw new RejectedException(Code.DLT_PAYLOAD, "a stream is cut off", in.position());
            }
            streams[i] = expand(payload, in.position(), frame, lengths[i]);
            in.position(in.position() + frame);
        }
        if (in.hasRemaining()) {
            throw new RejectedException(Code.DLT_PAYLOAD, "bytes after the last stream", in.position());
        }
        return streams;
    }

    private static byte[][] subtract(DeltaOp op, byte[] source, byte[] next) {
        int[] lengths = streamBytes(op, next.length);
        byte[][] out = new byte[lengths.length][];
        Arrays.setAll(out, i -> new byte[lengths[i]]);
        int step = elementBytes(op);
        int width = op == DeltaOp.QDIFF_Q8_0 ? SCALE_BYTES : step;
        for (int at = 0, n = 0; at < next.length; at += step, n++) {
            int difference = zigZag(integer(next, at, width) - integer(source, at, width), width);
            for (int plane = 0; plane < width; plane++) {
                out[plane][n] = (byte) (difference >>> 8 * plane);
            }
            for (int q = width; q < step; q++) {
                out[2][n * (step - width) + q - width] = (byte) (next[at + q] - source[at + q]);
            }
        }
        return out;
    }

    private static byte[] add(DeltaOp op, byte[] source, byte[][] streams) {
        byte[] out = new byte[source.length];
        int step = elementBytes(op);
        int width = op == DeltaOp.QDIFF_Q8_0 ? SCALE_BYTES : step;
        for (int at = 0, n = 0; at < out.length; at += step, n++) {
            int coded = 0;
            for (int plane = 0; plane < width; plane++) {
                coded |= (streams[plane][n] & 0xff) << 8 * plane;
            }
            int value = integer(source, at, width) + ((coded >>> 1) ^ -(coded & 1));
            for (int i = 0; i < width; i++) {
                out[at + i] = (byte) (value >>> 8 * i);
            }
            for (int q = width; q < step; q++) {
                out[at + q] = (byte) (source[at + q] + streams[2][n * (step - width) + q - width]);
            }
        }
        return out;
    }

    /** Small differences of either sign become small numbers; {@code difference} counts modulo the width. */
    private static int zigZag(int difference, int width) {
        int signed = width == 2 ? (short) difference : difference;
        return (signed << 1) ^ (signed >> 31);
    }

    private static int integer(byte[] bytes, int at, int width) {
        int value = 0;
        for (int i = 0; i < width; i++) {
            value |= (bytes[at + i] & 0xff) << 8 * i;
        }
        return value;
    }

    static byte[] compress(byte[] bytes) {
        ZstdJavaCompressor compressor = new ZstdJavaCompressor();
        byte[] out = new byte[compressor.maxCompressedLength(bytes.length)];
        return Arrays.copyOf(out, compressor.compress(bytes, 0, bytes.length, out, 0, out.length));
    }

    private static byte[] expand(byte[] frame, int offset, int length, int expected) throws RejectedException {
        byte[] out = new byte[expected];
        try {
            if (new ZstdJavaDecompressor().decompress(frame, offset, length, out, 0, expected) != expected) {
                throw new RejectedException(Code.DLT_PAYLOAD, "a zstd frame of another length");
            }
            return out;
        } catch (RuntimeException e) {
            // The library reports malformed frames by several unchecked exceptions.
            throw new RejectedException(Code.DLT_PAYLOAD, "zstd: " + e.getMessage());
        }
    }
}
