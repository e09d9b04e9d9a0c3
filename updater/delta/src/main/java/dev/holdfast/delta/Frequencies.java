package dev.holdfast.delta;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Static symbol frequencies of one stream, one table for each context. Frequencies of a table add up to {@value #TOTAL}, so
 * that decoding needs no division. Immutable.
 *
 * <p>Stored as {@code u16 tables}, then for each {@code u8 context, u8 symbols - 1} and for each symbol
 * {@code u8 symbol, u16 frequency - 1}, symbols ascending.
 */
final class Frequencies {
    static final int BITS = 11;
    static final int TOTAL = 1 << BITS;
    /** Width of frequency and bias in a slot of the decoder. */
    static final int FIELD_BITS = 12;

    static final int SYMBOLS = Tokens.LAST + 1;
    static final int MAX_CONTEXTS = 256;

    private static final short[] NONE = {};

    /** Row per context, empty where the context never came up; else {@link #SYMBOLS} frequencies. */
    private final short[][] rows;

    private Frequencies(short[][] rows) {
        this.rows = rows;
    }

    /** Normalizes {@code counts[context][symbol]}. */
    static Frequencies of(int[][] counts) {
        short[][] rows = new short[counts.length][];
        for (int context = 0; context < counts.length; context++) {
            rows[context] = normalized(counts[context]);
        }
        return new Frequencies(rows);
    }

    private static short[] normalized(int[] counts) {
        long sum = 0;
        for (int count : counts) {
            sum += count;
        }
        if (sum == 0) {
            return NONE;
        }
        short[] row = new short[SYMBOLS];
        int used = 0;
        int largest = 0;
        for (int symbol = 0; symbol < counts.length; symbol++) {
            if (counts[symbol] > 0) {
                row[symbol] = (short) Math.max(1, counts[symbol] * (long) TOTAL / sum);
                used += row[symbol];
                largest = counts[symbol] > counts[largest] ? symbol : largest;
            }
        }
        // What rounding left over or took too much settles with the most frequent symbols, where it costs least.
        while (used != TOTAL) {
            int by = used < TOTAL ? TOTAL - used : Math.max(TOTAL - used, 1 - row[largest]);
            row[largest] += (short) by;
            used += by;
            for (int symbol = 0; used > TOTAL && symbol < SYMBOLS; symbol++) {
                largest = row[symbol] > row[largest] ? symbol : largest;
            }
        }
        return row;
    }

    int contexts() {
        return rows.length;
    }

    int frequency(int context, int symbol) {
        return rows[context].length == 0 ? 0 : rows[context][symbol];
    }

    /** The decoder's table: for each context {@value #TOTAL} slots of {@code symbol << 24 | (frequency - 1) << 12 | bias}. */
    int[] slots() {
        int[] slots = new int[rows.length << BITS];
        for (int context = 0; context < rows.length; context++) {
            int at = context << BITS;
            if (rows[context].length == 0) {
                // No producer codes in it. What a hostile stream decodes here is refused by the output's hash.
                continue;
            }
            for (int symbol = 0; symbol < SYMBOLS; symbol++) {
                int frequency = rows[context][symbol];
                for (int bias = 0; bias < frequency; bias++) {
                    slots[at++] = symbol << 2 * FIELD_BITS | (frequency - 1) << FIELD_BITS | bias;
                }
            }
        }
        return slots;
    }

    /** Where each symbol's interval begins; used by the encoder. */
    int[] cumulative(int context) {
        int[] begin = new int[SYMBOLS + 1];
        for (int symbol = 0; symbol < SYMBOLS; symbol++) {
            begin[symbol + 1] = begin[symbol] + frequency(context, symbol);
        }
        return begin;
    }

    /** Ideal length in bits of what {@code counts} counted, under these tables. */
    double bits(int[][] counts) {
        double bits = 0;
        for (int context = 0; context < counts.length; context++) {
            int[] row = counts[context];
            for (int symbol = 0; symbol < row.length; symbol++) {
                if (row[symbol] > 0) {
                    bits += row[symbol] * (BITS - Math.log(frequency(context, symbol)) / Math.log(2));
                }
            }
        }
        return bits;
    }

    int storedBytes() {
        int bytes = 2;
        for (short[] row : rows) {
            bytes += row.length == 0 ? 0 : 2 + 3 * symbols(row);
        }
        return bytes;
    }

    private static int symbols(short[] row) {
        int count = 0;
        for (short frequency : row) {
            count += frequency > 0 ? 1 : 0;
        }
        return count;
    }

    void write(ByteBuffer out) {
        out.putShort((short) Arrays.stream(rows).filter(row -> row.length > 0).count());
        for (int context = 0; context < rows.length; context++) {
            short[] row = rows[context];
            if (row.length == 0) {
                continue;
            }
            out.put((byte) context).put((byte) (symbols(row) - 1));
            for (int symbol = 0; symbol < SYMBOLS; symbol++) {
                if (row[symbol] > 0) {
                    out.put((byte) symbol).putShort((short) (row[symbol] - 1));
                }
            }
        }
    }

    static Frequencies read(ByteBuffer in, int contexts) throws RejectedException {
        PatchPlan.require(in, 2);
        int tables = in.getShort() & 0xffff;
        short[][] rows = new short[contexts][];
        Arrays.fill(rows, NONE);
        for (int i = 0; i < tables; i++) {
            PatchPlan.require(in, 2);
            int context = in.get() & 0xff;
            int symbols = (in.get() & 0xff) + 1;
            PatchPlan.require(in, 3 * symbols);
            if (context >= contexts || rows[context].length > 0) {
                throw wrong("context " + context, in.position());
            }
            rows[context] = row(in, symbols);
        }
        return new Frequencies(rows);
    }

    private static short[] row(ByteBuffer in, int symbols) throws RejectedException {
        short[] row = new short[SYMBOLS];
        int sum = 0;
        int before = -1;
        for (int i = 0; i < symbols; i++) {
            int symbol = in.get() & 0xff;
            int frequency = (in.getShort() & 0xffff) + 1;
            sum += frequency;
            if (symbol >= SYMBOLS || symbol <= before || sum > TOTAL) {
                throw wrong("symbol " + symbol, in.position());
            }
            row[symbol] = (short) frequency;
            before = symbol;
        }
        if (sum != TOTAL) {
            throw wrong("frequencies add up to " + sum, in.position());
        }
        return row;
    }

    private static RejectedException wrong(String what, long offset) {
        return new RejectedException(Code.DLT_FORMAT, "frequency table: " + what, offset);
    }
}
