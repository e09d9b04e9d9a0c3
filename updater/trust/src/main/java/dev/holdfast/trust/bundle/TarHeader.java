package dev.holdfast.trust.bundle;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The header of one entry of a ustar archive (POSIX.1-1988, section 10.1.1), of regular files alone:
 *
 * <pre>
 *   0 name 100     100 mode 8     108 uid 8    116 gid 8      124 size 12    136 mtime 12   148 checksum 8
 * 156 type 1       157 link 100   257 "ustar\0" 263 "00"     265 owner 64   329 device 16  345 prefix 155
 * </pre>
 *
 * Numbers are octal digits that a NUL or a space ends. The extensions of other tars are refused: they are where names and
 * lengths get a second meaning.
 */
public record TarHeader(String name, long length) {
    public static final int BYTES = 512;
    static final int MAX_NAME_CHARS = 100;
    /** Eleven octal digits. */
    static final long MAX_LENGTH = (1L << 33) - 1;

    private static final byte[] MAGIC = {'u', 's', 't', 'a', 'r', 0, '0', '0'};
    private static final int SIZE = 124;
    private static final int CHECKSUM = 148;
    private static final int TYPE = 156;
    private static final int LINK = 157;
    private static final int MAGIC_AT = 257;
    private static final int PREFIX = 345;
    private static final int PREFIX_END = 500;

    static boolean isEnd(byte[] block) {
        return allZero(block, 0, BYTES);
    }

    /** Bytes that the content takes, filled up to whole blocks. */
    long paddedLength() {
        return (length + BYTES - 1) / BYTES * BYTES;
    }

    static TarHeader parse(byte[] block, long offset) throws RejectedException {
        if (!Arrays.equals(block, MAGIC_AT, MAGIC_AT + MAGIC.length, MAGIC, 0, MAGIC.length)) {
            throw wrong("no ustar header", offset);
        }
        if (octal(block, CHECKSUM, 8, offset) != checksum(block)) {
            throw wrong("a header does not add up", offset);
        }
        if (block[TYPE] != '0' || !allZero(block, LINK, MAGIC_AT) || !allZero(block, PREFIX, PREFIX_END)) {
            throw wrong("an entry is not a regular file with a short name", offset);
        }
        int end = 0;
        while (end < MAX_NAME_CHARS && block[end] != 0) {
            end++;
        }
        if (!allZero(block, end, MAX_NAME_CHARS)) {
            throw wrong("a name goes on behind its end", offset);
        }
        String name = new String(block, 0, end, StandardCharsets.ISO_8859_1);
        return new TarHeader(name, octal(block, SIZE, 12, offset));
    }

    byte[] toBytes() {
        byte[] block = new byte[BYTES];
        byte[] text = name.getBytes(StandardCharsets.US_ASCII);
        if (text.length > MAX_NAME_CHARS || length > MAX_LENGTH) {
            throw new IllegalArgumentException(name + " of " + length + " bytes does not fit a ustar header");
        }
        System.arraycopy(text, 0, block, 0, text.length);
        put(block, 100, "0000644");
        put(block, 108, "0000000");
        put(block, 116, "0000000");
        put(block, SIZE, "%011o".formatted(length));
        put(block, 136, "00000000000");
        block[TYPE] = '0';
        System.arraycopy(MAGIC, 0, block, MAGIC_AT, MAGIC.length);
        put(block, CHECKSUM, "%06o\0 ".formatted(checksum(block)));
        return block;
    }

    private static void put(byte[] block, int at, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(bytes, 0, block, at, bytes.length);
    }

    /** The sum of all bytes, those of the checksum itself taken as spaces. */
    private static long checksum(byte[] block) {
        long sum = 0;
        for (int i = 0; i < BYTES; i++) {
            sum += i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : block[i] & 0xff;
        }
        return sum;
    }

    private static long octal(byte[] block, int at, int width, long offset) throws RejectedException {
        long value = 0;
        int i = at;
        while (i < at + width - 1 && block[i] >= '0' && block[i] <= '7') {
            value = value * 8 + block[i++] - '0';
        }
        if (i == at || (block[i] != 0 && block[i] != ' ')) {
            throw wrong("a number is not octal", offset + at);
        }
        return value;
    }

    private static boolean allZero(byte[] block, int from, int to) {
        for (int i = from; i < to; i++) {
            if (block[i] != 0) {
                return false;
            }
        }
        return true;
    }

    private static RejectedException wrong(String detail, long offset) {
        return new RejectedException(new Rejection(Code.BDL_FORMAT, detail, offset));
    }
}
