package dev.holdfast.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Reads what {@link RansEncoder} wrote. Work is bounded by the number of symbols that the caller asks for; a stream that is
 * too short, too long or does not end in its first state is refused. Not thread-safe.
 */
final class RansDecoder {
    private static final VarHandle SHORTS =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int HEAD = 8 + 4 * RansEncoder.LANES;
    private static final int MASK = Frequencies.TOTAL - 1;
    private static final int FIELD = Frequencies.FIELD_BITS;
    private static final int FIELD_MASK = (1 << FIELD) - 1;

    private final int[] slots;
    private final byte[] bytes;
    private final int[] states = new int[RansEncoder.LANES];
    private int at;
    private final int wordsEnd;
    private long rawAt;
    private final long rawEnd;
    private final int end;

    /** @throws RejectedException {@code DLT-PAYLOAD} when the stream does not end before {@code limit} */
    RansDecoder(int[] slots, byte[] bytes, int from, int limit) throws RejectedException {
        this.slots = slots;
        this.bytes = bytes;
        if (limit - from < HEAD) {
            throw wrong("a stream is missing", from);
        }
        int words = (int) INTS.get(bytes, from);
        int raw = (int) INTS.get(bytes, from + 4);
        if (words < 0 || raw < 0 || (words & 1) != 0 || (long) from + HEAD + words + raw > limit) {
            throw wrong("a stream is cut off", from);
        }
        for (int lane = 0; lane < states.length; lane++) {
            states[lane] = (int) INTS.get(bytes, from + 8 + 4 * lane);
        }
        at = from + HEAD;
        wordsEnd = at + words;
        rawAt = 8L * wordsEnd;
        end = wordsEnd + raw;
        rawEnd = 8L * end;
    }

    /** Where the next stream begins. */
    int end() {
        return end;
    }

    /** Decodes {@code n} residuals, a multiple of eight but in the last call. */
    void get(int[] contexts, int[] residuals, int n) throws RejectedException {
        int x0 = states[0];
        int x1 = states[1];
        int x2 = states[2];
        int x3 = states[3];
        int x4 = states[4];
        int x5 = states[5];
        int x6 = states[6];
        int x7 = states[7];
        int p = at;
        int largest = 0;
        int i = 0;
        // Eight symbols take at most eight words.
        for (; i + 8 <= n && p + 16 <= wordsEnd; i += 8) {
            int e0 = slots[contexts[i] << Frequencies.BITS | x0 & MASK];
            int e1 = slots[contexts[i + 1] << Frequencies.BITS | x1 & MASK];
            int e2 = slots[contexts[i + 2] << Frequencies.BITS | x2 & MASK];
            int e3 = slots[contexts[i + 3] << Frequencies.BITS | x3 & MASK];
            int e4 = slots[contexts[i + 4] << Frequencies.BITS | x4 & MASK];
            int e5 = slots[contexts[i + 5] << Frequencies.BITS | x5 & MASK];
            int e6 = slots[contexts[i + 6] << Frequencies.BITS | x6 & MASK];
            int e7 = slots[contexts[i + 7] << Frequencies.BITS | x7 & MASK];
            x0 = ((e0 >>> FIELD & FIELD_MASK) + 1) * (x0 >>> Frequencies.BITS) + (e0 & FIELD_MASK);
            x1 = ((e1 >>> FIELD & FIELD_MASK) + 1) * (x1 >>> Frequencies.BITS) + (e1 & FIELD_MASK);
            x2 = ((e2 >>> FIELD & FIELD_MASK) + 1) * (x2 >>> Frequencies.BITS) + (e2 & FIELD_MASK);
            x3 = ((e3 >>> FIELD & FIELD_MASK) + 1) * (x3 >>> Frequencies.BITS) + (e3 & FIELD_MASK);
            x4 = ((e4 >>> FIELD & FIELD_MASK) + 1) * (x4 >>> Frequencies.BITS) + (e4 & FIELD_MASK);
            x5 = ((e5 >>> FIELD & FIELD_MASK) + 1) * (x5 >>> Frequencies.BITS) + (e5 & FIELD_MASK);
            x6 = ((e6 >>> FIELD & FIELD_MASK) + 1) * (x6 >>> Frequencies.BITS) + (e6 & FIELD_MASK);
            x7 = ((e7 >>> FIELD & FIELD_MASK) + 1) * (x7 >>> Frequencies.BITS) + (e7 & FIELD_MASK);
            if (x0 >>> 16 == 0) {
                x0 = x0 << 16 | (short) SHORTS.get(bytes, p) & 0xffff;
                p += 2;
            }
            if (x1 >>> 16 == 0) {
                x1 = x1 << 16 | (short) SHORTS.get(bytes, p) & 0xffff;
                p += 2;
            }
            if (x2 >>> 16 == 0) {
                x2 = x2 << 16 | (short) SHORTS.get(bytes, p) & 0xffff;
                p += 2;
            }
            if (x3 >>> 16 == 0) {
                x3 = x3 << 16 | (short) SHORTS.get(bytes, p) & 0xffff;
                p += 2;
            }
            if (x4 >>> 16 == 0) {
                x4 = x4 << 16 | (short) SHORTS.get(bytes, p) & 0xffff;
                p += 2;
            }
            if (x5 >>> 16 == 0) {
                x5 = x5 << 16 | (short) SHORTS.get(bytes, p) & 0xffff;
                p += 2;
            }
            if (x6 >>> 16 == 0) {
                x6 = x6 << 16 | (short) SHORTS.get(bytes, p) & 0xffff;
                p += 2;
            }
            if (x7 >>> 16 == 0) {
                x7 = x7 << 16 | (short) SHORTS.get(bytes, p) & 0xffff;
                p += 2;
            }
            largest |= e0 | e1 | e2 | e3 | e4 | e5 | e6 | e7;
            residuals[i] = e0 >>> 24;
            residuals[i + 1] = e1 >>> 24;
            residuals[i + 2] = e2 >>> 24;
            residuals[i + 3] = e3 >>> 24;
            residuals[i + 4] = e4 >>> 24;
            residuals[i + 5] = e5 >>> 24;
            residuals[i + 6] = e6 >>> 24;
            residuals[i + 7] = e7 >>> 24;
        }
        largest >>>= 24;
        states[0] = x0;
        states[1] = x1;
        states[2] = x2;
        states[3] = x3;
        states[4] = x4;
        states[5] = x5;
        states[6] = x6;
        states[7] = x7;
        at = p;
        for (; i < n; i++) {
            residuals[i] = one(i & RansEncoder.LANES - 1, contexts[i]);
            largest |= residuals[i];
        }
        if (largest < Tokens.DIRECT) {
            for (int k = 0; k < n; k++) {
                int z = residuals[k];
                residuals[k] = (z >>> 1) ^ -(z & 1);
            }
        } else {
            for (int k = 0; k < n; k++) {
                int token = residuals[k];
                residuals[k] = Tokens.residual(Tokens.value(token, raw(Tokens.rawBits(token))));
            }
        }
    }

    private int one(int lane, int context) throws RejectedException {
        int x = states[lane];
        int slot = slots[context << Frequencies.BITS | x & MASK];
        x = ((slot >>> FIELD & FIELD_MASK) + 1) * (x >>> Frequencies.BITS) + (slot & FIELD_MASK);
        if (x >>> 16 == 0) {
            if (at + 2 > wordsEnd) {
                throw wrong("a stream ends too early", at);
            }
            x = x << 16 | (short) SHORTS.get(bytes, at) & 0xffff;
            at += 2;
        }
        states[lane] = x;
        return slot >>> 24;
    }

    private int raw(int bits) throws RejectedException {
        if (rawAt + bits > rawEnd) {
            throw wrong("raw bits end too early", end);
        }
        int value = 0;
        for (int bit = 0; bit < bits; bit++, rawAt++) {
            value |= (bytes[(int) (rawAt >>> 3)] >>> (rawAt & 7) & 1) << bit;
        }
        return value;
    }

    /** The stream must be used up to its last bit. */
    void requireEnd() throws RejectedException {
        for (int state : states) {
            if (state != RansEncoder.LOW) {
                throw wrong("a stream does not end where it began", at);
            }
        }
        if (at != wordsEnd || rawEnd - rawAt >= 8) {
            throw wrong("bytes after the end of a stream", at);
        }
    }

    private static RejectedException wrong(String what, long offset) {
        return new RejectedException(Code.DLT_PAYLOAD, what, offset);
    }
}
