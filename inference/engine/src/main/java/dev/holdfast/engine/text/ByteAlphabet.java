package dev.holdfast.engine.text;

/**
 * How byte-level BPE writes bytes as characters (GPT-2's table): printable Latin-1 stands for itself, the other 68 bytes are
 * written from U+0100 on, in their order.
 */
final class ByteAlphabet {
    private static final char[] CHARS = new char[256];
    private static final int[] BYTES = new int[512];

    static {
        java.util.Arrays.fill(BYTES, -1);
        char further = 256;
        for (int b = 0; b < 256; b++) {
            boolean itself = b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae;
            CHARS[b] = itself ? (char) b : further++;
            BYTES[CHARS[b]] = b;
        }
    }

    private ByteAlphabet() {}

    static char of(int value) {
        return CHARS[value];
    }

    static String write(byte[] bytes) {
        char[] text = new char[bytes.length];
        for (int i = 0; i < text.length; i++) {
            text[i] = CHARS[Byte.toUnsignedInt(bytes[i])];
        }
        return new String(text);
    }

    /** The byte for a character, or -1. */
    static int read(char c) {
        return c < BYTES.length ? BYTES[c] : -1;
    }
}
