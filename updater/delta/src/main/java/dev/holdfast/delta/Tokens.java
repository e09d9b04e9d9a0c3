package dev.holdfast.delta;

/**
 * Residuals as symbols of an 8-bit alphabet. A residual of either sign becomes an unsigned number {@code z} (zig-zag); a
 * {@code z} below 32 is its own symbol, a longer one is named by its bit length and the two bits below the leading one, and
 * the remaining bits travel as they are:
 *
 * <pre>
 * z < 32            symbol z                                 no raw bits
 * z of L bits, L>5  symbol 32 + 4 (L - 6) + next two bits    L - 3 raw bits      (largest symbol 139)
 * </pre>
 */
final class Tokens {
    static final int DIRECT = 32;
    private static final int FIRST_LENGTH = 6;
    /** Symbols above this one do not exist. */
    static final int LAST = DIRECT + 4 * (32 - FIRST_LENGTH) + 3;

    private Tokens() {}

    static int zigZag(int residual) {
        return (residual << 1) ^ (residual >> 31);
    }

    static int residual(int zigZag) {
        return (zigZag >>> 1) ^ -(zigZag & 1);
    }

    /** The symbol of an unsigned {@code z}. */
    static int token(int z) {
        if (z >= 0 && z < DIRECT) {
            return z;
        }
        int length = 32 - Integer.numberOfLeadingZeros(z);
        return DIRECT + 4 * (length - FIRST_LENGTH) + (z >>> (length - 3) & 3);
    }

    /** How many raw bits follow a symbol. */
    static int rawBits(int token) {
        return token < DIRECT ? 0 : (token - DIRECT) / 4 + FIRST_LENGTH - 3;
    }

    /** The unsigned number of a symbol and its raw bits. */
    static int value(int token, int raw) {
        return token < DIRECT ? token : (4 + (token - DIRECT & 3)) << rawBits(token) | raw;
    }
}
