package dev.holdfast.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.ByteArrayOutputStream;

/**
 * A range of bytes with some runs replaced: for each run {@code varint gap, varint length, bytes}, where the gap counts from
 * the end of the run before. A varint has seven bits a byte, least significant first, high bit set but in the last.
 */
final class SparseRuns {
    /** Equal bytes between two runs below which one run is shorter. */
    private static final int JOIN = 3;

    private SparseRuns() {}

    /** The runs, or nothing where they would take more than {@code maxBytes}. */
    static byte[] encode(byte[] source, byte[] next, int maxBytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int done = 0;
        for (int at = 0; at < next.length && out.size() <= maxBytes; ) {
            if (source[at] == next[at]) {
                at++;
                continue;
            }
            int end = at + 1;
            for (int same = 0, i = end; i < next.length && same <= JOIN; i++) {
                if (source[i] == next[i]) {
                    same++;
                } else {
                    same = 0;
                    end = i + 1;
                }
            }
            varint(at - done, out);
            varint(end - at, out);
            out.write(next, at, end - at);
            done = end;
            at = end;
        }
        return out.size() <= maxBytes ? out.toByteArray() : new byte[maxBytes + 1];
    }

    static void apply(byte[] payload, int from, int end, byte[] output) throws RejectedException {
        int[] at = {from};
        long to = 0;
        while (at[0] < end) {
            to += varint(payload, at, end);
            int length = varint(payload, at, end);
            if (to + length > output.length || at[0] + (long) length > end) {
                throw new RejectedException(Code.DLT_PAYLOAD, "a run leaves its range", at[0]);
            }
            System.arraycopy(payload, at[0], output, (int) to, length);
            to += length;
            at[0] += length;
        }
    }

    private static void varint(int value, ByteArrayOutputStream out) {
        int left = value;
        for (; left > 127; left >>>= 7) {
            out.write(left & 127 | 128);
        }
        out.write(left);
    }

    private static int varint(byte[] bytes, int[] at, int end) throws RejectedException {
        int value = 0;
        for (int shift = 0; shift < 28 && at[0] < end; shift += 7) {
            int next = bytes[at[0]++];
            value |= (next & 127) << shift;
            if (next >= 0) {
                return value;
            }
        }
        throw new RejectedException(Code.DLT_PAYLOAD, "a number is cut off", at[0]);
    }
}
