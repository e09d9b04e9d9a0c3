package dev.holdfast.wire;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Strict reading of deterministic CBOR. One encoding per value: what {@link CborWriter} would not have written is
 * refused (longer arguments, indefinite lengths, unsorted or duplicate keys, trailing bytes). No length is believed
 * before that many bytes are known to be there, so memory stays within a small multiple of the input.
 */
public final class CborReader {
    /** Deeper than any message of ours; keeps the recursion far from the end of the stack. */
    public static final int MAX_DEPTH = 16;
    /** A shorter string is copied: it would keep an input alive that is much longer than itself. */
    private static final int MIN_VIEW_BYTES = 1024;

    private final byte[] input;
    /** Whether byte strings are parts of the input. */
    private final boolean owned;

    private int at;

    private CborReader(byte[] input, boolean owned) {
        this.input = input;
        this.owned = owned;
    }

    /** Reads exactly one item that fills {@code input}; at most {@code maxBytes} long. */
    public static Verdict<Cbor> read(byte[] input, int maxBytes) {
        return read(input, maxBytes, false);
    }

    /**
     * The same without a copy of long byte strings. The item owns {@code input} from now on: the caller must not change it, and it
     * lives as long as any of its byte strings.
     */
    public static Verdict<Cbor> readOwned(byte[] input, int maxBytes) {
        return read(input, maxBytes, true);
    }

    private static Verdict<Cbor> read(byte[] input, int maxBytes, boolean owned) {
        if (input.length > maxBytes) {
            return Verdict.rejected(Code.WIRE_TOO_LARGE, input.length + " bytes of CBOR, at most " + maxBytes);
        }
        return Verdict.of(() -> {
            CborReader reader = new CborReader(input, owned);
            Cbor item = reader.item(0);
            if (reader.at != input.length) {
                throw reader.malformed("bytes after the item");
            }
            return item;
        });
    }

    private Cbor item(int depth) throws RejectedException {
        if (depth > MAX_DEPTH) {
            throw malformed("nested deeper than " + MAX_DEPTH);
        }
        int initial = octet();
        int major = initial >> 5;
        int info = initial & 31;
        if (major == 7) {
            return simple(info);
        }
        long argument = argument(info);
        return switch (major) {
            case 0 -> new Cbor.Int(argument);
            case 1 -> new Cbor.Int(-1 - argument);
            case 2 -> bytes(argument);
            case 3 -> new Cbor.Text(utf8(argument));
            case 4 -> array(count(argument, 1), depth);
            case 5 -> dict(count(argument, 2), depth);
            default -> new Cbor.Tag(argument, item(depth + 1));
        };
    }

    private Cbor simple(int info) throws RejectedException {
        return switch (info) {
            case 20 -> new Cbor.Bool(false);
            case 21 -> new Cbor.Bool(true);
            case 22 -> new Cbor.Null();
            case 27 -> new Cbor.Real(Double.longBitsToDouble(fixed(8)));
            default -> throw malformed("simple value or float width " + info + " is not used here");
        };
    }

    private Cbor array(int size, int depth) throws RejectedException {
        List<Cbor> items = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            items.add(item(depth + 1));
        }
        return new Cbor.Array(items);
    }

    private Cbor dict(int size, int depth) throws RejectedException {
        Map<Cbor, Cbor> entries = new LinkedHashMap<>();
        int previousStart = -1;
        int previousEnd = -1;
        for (int i = 0; i < size; i++) {
            int start = at;
            Cbor key = item(depth + 1);
            if (previousStart >= 0
                    && Arrays.compareUnsigned(input, previousStart, previousEnd, input, start, at) >= 0) {
                throw malformed("map keys out of order or twice");
            }
            previousStart = start;
            previousEnd = at;
            entries.put(key, item(depth + 1));
        }
        return new Cbor.Dict(entries);
    }

    /** A count whose items, {@code minBytes} each at least, can still be in the input. */
    private int count(long argument, int minBytes) throws RejectedException {
        if (argument > (input.length - at) / minBytes) {
            throw malformed("more items than bytes");
        }
        return (int) argument;
    }

    private long argument(int info) throws RejectedException {
        if (info < 24) {
            return info;
        }
        if (info > 27) {
            throw malformed("indefinite or reserved length");
        }
        int bytes = 1 << (info - 24);
        long value = fixed(bytes);
        boolean shortest = switch (bytes) {
            case 1 -> value >= 24;
            case 2 -> value >= 1L << 8;
            case 4 -> value >= 1L << 16;
            default -> value >= 1L << 32;
        };
        if (value < 0) {
            throw malformed("integer beyond 63 bits");
        }
        if (!shortest) {
            throw malformed("argument not in its shortest form");
        }
        return value;
    }

    private long fixed(int bytes) throws RejectedException {
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value = value << 8 | octet();
        }
        return value;
    }

    private int octet() throws RejectedException {
        if (at >= input.length) {
            throw malformed("ends too early");
        }
        return input[at++] & 0xff;
    }

    /** Moves over {@code length} bytes and returns where they begin. */
    private int skip(long length) throws RejectedException {
        if (length > input.length - at) {
            throw malformed("string longer than the input");
        }
        int start = at;
        at += (int) length;
        return start;
    }

    private Cbor bytes(long length) throws RejectedException {
        int start = skip(length);
        return new Cbor.Bytes(
                owned && length >= MIN_VIEW_BYTES
                        ? Binary.view(input, start, (int) length)
                        : Binary.copyOf(input, start, (int) length));
    }

    private String utf8(long length) throws RejectedException {
        int start = skip(length);
        // Nearly all texts are ASCII, and a decoder for each costs more than the rest of the reading.
        int ascii = start;
        while (ascii < at && input[ascii] >= 0) {
            ascii++;
        }
        if (ascii == at) {
            return new String(input, start, (int) length, StandardCharsets.US_ASCII);
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(input, start, (int) length))
                    .toString();
        } catch (CharacterCodingException e) {
            throw malformed("text is not valid UTF-8");
        }
    }

    private RejectedException malformed(String detail) {
        return new RejectedException(Code.WIRE_CBOR, detail, at);
    }
}
