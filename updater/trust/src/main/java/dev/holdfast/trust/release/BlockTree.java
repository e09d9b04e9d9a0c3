package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.RejectedException;
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

    private static final String FIELD = "blocks";

    public BlockTree {
        if (bytes < MIN_BYTES || bytes > MAX_BYTES) {
            throw new IllegalArgumentException("block length " + bytes);
        }
    }

    /** Reads {@code blocks} of whatever describes a file of {@code length} bytes; {@code UPD-FORMAT}. */
    static BlockTree read(Fields parent, long length) throws RejectedException {
        Fields blocks = parent.object(FIELD);
        long bytes = blocks.integer("bytes", MIN_BYTES);
        if (bytes > MAX_BYTES || length / bytes >= Integer.MAX_VALUE) {
            throw new RejectedException(Code.UPD_FORMAT, "blocks of " + bytes + " bytes");
        }
        return new BlockTree((int) bytes, blocks.sha256("root"));
    }

    /** Writes {@code blocks} as {@link #read} reads it. */
    void put(ObjectNode parent) {
        parent.putObject(FIELD).put("bytes", bytes).put("root", root.hex());
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
