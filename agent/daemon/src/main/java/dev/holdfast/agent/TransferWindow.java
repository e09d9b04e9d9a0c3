package dev.holdfast.agent;

import dev.holdfast.link.Request;

/**
 * How many bytes are asked for at once: as many as the line was seen to carry in time. It grows a little with each window that came
 * whole, at most by a block, is halved by one of which a part came, and quartered by one of which nothing did; in the manner of RFC 5681
 * section 3.1. It shrinks to pieces of a block, so that a line of some hundred bytes a second carries a model, too. Thread-safe; the
 * installs of several models share one line.
 */
final class TransferWindow {
    /** Most messages that a broker holds for one device. */
    static final int MAX_PIECES = Request.MAX_BLOCKS;

    private static final int MIN_BYTES = 1024;
    /** From one half to the whole in six windows. */
    private static final int GROWTH = 8;

    private static final int SEVERAL = 4;

    private static final long MAX_BYTES = (long) MAX_PIECES * Request.MAX_BLOCK_BYTES;

    private long bytes = MAX_BYTES;

    /** A window came whole. */
    synchronized void came(int blockBytes) {
        bytes = Math.min(MAX_BYTES, bytes + Math.clamp(bytes / GROWTH, MIN_BYTES / 2, blockBytes));
    }

    /** One did not come in time, or not all of it. */
    synchronized void lost(boolean all) {
        bytes = Math.max(MIN_BYTES, bytes / (all ? 4 : 2));
    }

    synchronized long bytes() {
        return bytes;
    }

    /**
     * Bytes to ask for in one message: the block, or the half of it as often as it takes to fit several times into the window, so that a
     * line which carries less brings some of them, and once into what the broker takes. A block of odd length is not cut.
     *
     * @param most bytes that one message may carry
     */
    synchronized int pieceBytes(int blockBytes, long most) {
        int piece = blockBytes;
        while (piece > Math.min(bytes / SEVERAL, most) && piece % 2 == 0 && piece / 2 >= MIN_BYTES) {
            piece /= 2;
        }
        return piece;
    }

    /** How many pieces to ask for at once. */
    synchronized int pieces(int pieceBytes) {
        return Math.clamp(bytes / pieceBytes, 1, MAX_PIECES);
    }
}
