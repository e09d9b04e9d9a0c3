package dev.holdfast.trust.release;

import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The signed description of how a file is cut into blocks for transport.
 *
 * @param bytes length of a block, the last one may be shorter
 * @param root RFC 6962 tree hash over the blocks (see {@link MerkleTree})
 */
public record BlockTree(int bytes, Sha256 root) {
    /** Smaller blocks would make the leaf list longer than the hash saves. */
    public static final int MIN_BYTES = 1024;
    /** What fits a 128 KiB broker limit beside its header. */
    public static final int MAX_BYTES = 96 * 1024;

    public BlockTree {
        if (bytes < MIN_BYTES || bytes > MAX_BYTES) {
            throw new IllegalArgumentException("block length " + bytes);
        }
    }

    /** Cuts a file into blocks and hashes them, as a publisher signs it. */
    public static BlockTree of(Path file, int blockBytes) throws IOException {
        return new BlockTree(blockBytes, MerkleTree.root(MerkleTree.leaves(file, blockBytes)));
    }

    /** Number of blocks of a file of {@code length} bytes. */
    public int count(long length) {
        return Math.toIntExact((length + bytes - 1) / bytes);
    }
}
