package dev.holdfast.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import io.airlift.compress.v3.zstd.ZstdJavaCompressor;
import io.airlift.compress.v3.zstd.ZstdJavaDecompressor;
import java.util.Arrays;

/** One zstd frame (RFC 8878) for a piece of known length. */
final class Zstd {
    private Zstd() {}

    static byte[] compress(byte[] bytes) {
        ZstdJavaCompressor compressor = new ZstdJavaCompressor();
        byte[] out = new byte[compressor.maxCompressedLength(bytes.length)];
        return Arrays.copyOf(out, compressor.compress(bytes, 0, bytes.length, out, 0, out.length));
    }

    /** @throws RejectedException with {@code code} unless the frame makes exactly {@code expected} bytes */
    static byte[] expand(byte[] from, int offset, int length, int expected, Code code) throws RejectedException {
        byte[] out = new byte[expected];
        try {
            if (new ZstdJavaDecompressor().decompress(from, offset, length, out, 0, expected) != expected) {
                throw new RejectedException(code, "a zstd frame of another length");
            }
            return out;
        } catch (RuntimeException e) {
            // The library reports malformed frames by several unchecked exceptions.
            throw new RejectedException(code, "zstd: " + e.getMessage());
        }
    }
}
