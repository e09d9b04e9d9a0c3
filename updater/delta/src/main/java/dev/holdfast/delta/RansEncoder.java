package dev.holdfast.delta;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Collects the symbols of one stream and codes them by range asymmetric numeral systems (Duda 2013), eight states in turn,
 * 16 bits at a time. Encoding runs backwards, so that decoding runs forwards. Stored as
 * {@code i32 bytes, i32 raw bytes}, eight {@code i32} states, words of 16 bits, raw bits; all little-endian.
 */
final class RansEncoder {
    static final int LOW = 1 << 16;
    static final int LANES = 8;

    private final Frequencies frequencies;
    private final int[][] begins;
    private short[] symbols = new short[1 << 12];
    private int count;
    private byte[] raw = new byte[64];
    private long rawBits;

    RansEncoder(Frequencies frequencies) {
        this.frequencies = frequencies;
        this.begins = new int[frequencies.contexts()][];
    }

    void put(int context, int residual) {
        if (count == symbols.length) {
            symbols = Arrays.copyOf(symbols, 2 * count);
        }
        int z = Tokens.zigZag(residual);
        int token = Tokens.token(z);
        symbols[count++] = (short) (context << 8 | token);
        int bits = Tokens.rawBits(token);
        for (int bit = 0; bit < bits; bit++, rawBits++) {
            if (rawBits >>> 3 == raw.length) {
                raw = Arrays.copyOf(raw, 2 * raw.length);
            }
            raw[(int) (rawBits >>> 3)] |= (byte) ((z >>> bit & 1) << (rawBits & 7));
        }
    }

    void writeTo(ByteArrayOutputStream out) {
        long[] states = new long[LANES];
        Arrays.fill(states, LOW);
        byte[] words = new byte[2 * count];
        int at = words.length;
        for (int i = count - 1; i >= 0; i--) {
            int context = symbols[i] >>> 8 & 0xff;
            int symbol = symbols[i] & 0xff;
            int[] begin = begin(context);
            long frequency = begin[symbol + 1] - begin[symbol];
            long state = states[i % LANES];
            if (state >= frequency << 32 - Frequencies.BITS) {
                words[--at] = (byte) (state >>> 8);
                words[--at] = (byte) state;
                state >>>= 16;
            }
            states[i % LANES] = (state / frequency << Frequencies.BITS) + state % frequency + begin[symbol];
        }
        int rawBytes = (int) (rawBits + 7 >>> 3);
        int coded = words.length - at;
        ByteBuffer head = ByteBuffer.allocate(8 + 4 * LANES).order(ByteOrder.LITTLE_ENDIAN);
        head.putInt(coded).putInt(rawBytes);
        for (long state : states) {
            head.putInt((int) state);
        }
        out.writeBytes(head.array());
        out.write(words, at, coded);
        out.write(raw, 0, rawBytes);
    }

    private int[] begin(int context) {
        if (begins[context] == null) {
            begins[context] = frequencies.cumulative(context);
        }
        return begins[context];
    }
}
