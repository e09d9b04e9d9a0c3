package dev.holdfast.wire;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;

/**
 * The hash tree of RFC 6962 section 2.1 over a file cut into blocks: a leaf is SHA-256(0x00 || block), a node
 * SHA-256(0x01 || left || right), an odd node moves up unchanged by the split at the largest power of two.
 */
public final class MerkleTree {
    private static final byte[] LEAF = {0};
    private static final byte[] NODE = {1};

    private MerkleTree() {}

    /** The leaf of one block: {@code length} bytes of {@code block} from {@code offset}. */
    public static Sha256 leaf(byte[] block, int offset, int length) {
        MessageDigest digest = Sha256.newDigest();
        digest.update(LEAF);
        digest.update(block, offset, length);
        return Sha256.finish(digest);
    }

    public static Sha256 leaf(byte[] block) {
        return leaf(block, 0, block.length);
    }

    public static Sha256 leaf(Binary block) {
        MessageDigest digest = Sha256.newDigest();
        digest.update(LEAF);
        block.update(digest);
        return Sha256.finish(digest);
    }

    /** The leaves of a file, in order. An empty file has none. */
    public static List<Sha256> leaves(Path file, int blockBytes) throws IOException {
        List<Sha256> leaves = new ArrayList<>();
        ByteBuffer block = ByteBuffer.allocate(blockBytes);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            while (true) {
                block.clear();
                while (block.hasRemaining() && channel.read(block) >= 0) {
                    // Until the block is full or the file ends.
                }
                if (block.position() == 0) {
                    return leaves;
                }
                leaves.add(leaf(block.array(), 0, block.position()));
            }
        }
    }

    /** The tree hash of {@code leaves}; of none it is SHA-256 of nothing (RFC 6962 section 2.1). */
    public static Sha256 root(List<Sha256> leaves) {
        if (leaves.isEmpty()) {
            return Sha256.of();
        }
        if (leaves.size() == 1) {
            return leaves.getFirst();
        }
        int split = Integer.highestOneBit(leaves.size() - 1);
        return Sha256.of(
                NODE,
                root(leaves.subList(0, split)).toArray(),
                root(leaves.subList(split, leaves.size())).toArray());
    }
}
