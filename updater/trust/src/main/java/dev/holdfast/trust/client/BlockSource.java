package dev.holdfast.trust.client;

import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.util.List;

/**
 * Pulls leaves and blocks of a file that is named by its hash. Nothing that it delivers is trusted. Calls block; an
 * install calls from one thread.
 */
public interface BlockSource {
    /** Most leaves that one call asks for. */
    int MAX_LEAVES = 1024;
    /** Most blocks that one call asks for; a cancelled install stops after at most one such call. */
    int MAX_WANTED = 64;

    /**
     * How a file is cut.
     *
     * @param fileBytes length of the file
     * @param blockBytes of each block but the last, which may be shorter
     */
    record Cut(long fileBytes, int blockBytes) {
        /** Bytes of one block; 0 for one beyond the end. */
        public int length(int index) {
            return Math.clamp(fileBytes - (long) index * blockBytes, 0, blockBytes);
        }
    }

    /**
     * Leaf hashes {@code first} to {@code first + count - 1} of the file's block tree.
     *
     * @throws IOException on timeout, disconnect or refusal: the caller tries again later
     */
    List<Sha256> leaves(Sha256 blob, int first, int count) throws IOException;

    /**
     * Asks for the wanted blocks and hands each to {@code sink} as it comes, in any order, duplicates allowed. Returns
     * when all came; over a slow line also after a while, when some did.
     *
     * @throws IOException on timeout, disconnect or refusal; blocks that the sink got before it count
     */
    void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException;
}
