package dev.holdfast.updater;

import dev.holdfast.delta.BlockOutput;
import dev.holdfast.delta.DeltaApplier;
import dev.holdfast.storage.Disk;
import dev.holdfast.storage.DiskException;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntToLongFunction;

/**
 * A file in the making and the bitmap of its verified blocks. Blocks are written in place; the bitmap on the disk names
 * only blocks whose bytes were forced to the disk before it. One thread.
 *
 * <p>A file that needs a hash of the whole is hashed while it is made: a block as it is written, if all blocks before it
 * were hashed; a block that came too early is read back when the gap before it closes. So a file whose blocks come in
 * order is not read again for its hash.
 *
 * <p>{@code .have}: "HFB3", i32 block count, i64 file length, i64 layout (block length, or a hash of the block table), then two
 * bitmaps, all big-endian: blocks that are there, as many bytes as the count takes, and blocks that were pulled once, though they may
 * be lost again. A file of another layout starts from nothing.
 */
final class PartialFile implements BlockOutput, AutoCloseable {
    private static final int MAGIC = 0x48464233;
    private static final int HEADER_BYTES = 24;
    /** Verified bytes that a power cut may cost. */
    private static final long SYNC_BYTES = 4L << 20;

    /**
     * How a file is cut into blocks, without gaps.
     *
     * @param blocks how many there are
     * @param bytes length of the file
     * @param id differs between cuts of the same file: the block length, or a hash of the block table
     * @param offsets where a block begins
     */
    record Cut(int blocks, long bytes, long id, IntToLongFunction offsets) {
        /** Blocks of one length, of which the last may be shorter. */
        static Cut of(BlockTree tree, long bytes) {
            return new Cut(tree.count(bytes), bytes, tree.bytes(), block -> (long) block * tree.bytes());
        }

        /** The blocks that a patch makes. */
        static Cut of(DeltaApplier patch) {
            return new Cut(patch.blockCount(), patch.resultBytes(), patch.layout(), patch::outputOffset);
        }

        long offset(int block) {
            return offsets.applyAsLong(block);
        }

        int length(int block) {
            return (int) ((block + 1 < blocks ? offset(block + 1) : bytes) - offset(block));
        }
    }

    /** A partial file that has all of its blocks, and the hash of its bytes. Only {@link #finish} makes one. */
    static final class Whole {
        private final Path part;
        private final Sha256 digest;

        private Whole(Path part, Sha256 digest) {
            this.part = part;
            this.digest = digest;
        }

        Path part() {
            return part;
        }

        Sha256 digest() {
            return digest;
        }
    }

    private final Path part;
    private final Path have;
    private final Disk disk;
    private final Disk.OpenFile file;
    private final Cut cut;
    private final BitSet bits;
    /** Blocks that came over the network once. */
    private final BitSet spent;

    private final MessageDigest digest = Sha256.newDigest();
    private final boolean hashing;
    /** Blocks whose bytes {@link #digest} has taken; the first that it lacks. */
    private int hashedBlocks;

    private long dirtyBytes;
    private long spentBytes;

    private PartialFile(Path part, Disk disk, Disk.OpenFile file, Cut cut, BitSet bits, BitSet spent, boolean hashing) {
        this.part = part;
        this.have = bitmapOf(part);
        this.disk = disk;
        this.file = file;
        this.cut = cut;
        this.bits = bits;
        this.hashing = hashing;
        this.spent = spent;
        this.spentBytes = spent.stream().mapToLong(cut::length).sum();
    }

    static Path bitmapOf(Path part) {
        String name = part.getFileName().toString();
        return part.resolveSibling(name.substring(0, name.length() - ".part".length()) + ".have");
    }

    /** For a file whose signed block tree says all there is to say about its bytes. */
    static PartialFile open(Disk disk, Path part, Cut cut) throws IOException {
        return open(disk, part, cut, false);
    }

    /** For a file whose bytes are known by one hash: {@link #finish} tells it. */
    static PartialFile openHashed(Disk disk, Path part, Cut cut) throws IOException {
        return open(disk, part, cut, true);
    }

    private static PartialFile open(Disk disk, Path part, Cut cut, boolean hashing) throws IOException {
        byte[] header = header(cut);
        int mapBytes = mapBytes(cut);
        Path have = bitmapOf(part);
        BitSet bits = new BitSet(cut.blocks());
        BitSet spent = new BitSet(cut.blocks());
        if (Files.exists(part) && Files.exists(have) && Files.size(have) <= HEADER_BYTES + 2L * mapBytes) {
            byte[] stored = Files.readAllBytes(have);
            if (stored.length >= HEADER_BYTES + mapBytes
                    && Arrays.equals(header, 0, HEADER_BYTES, stored, 0, HEADER_BYTES)) {
                bits = map(stored, HEADER_BYTES, HEADER_BYTES + mapBytes, cut);
                spent = map(stored, HEADER_BYTES + mapBytes, stored.length, cut);
            }
        }
        Disk.OpenFile file = disk.open(part);
        if (file.size() > cut.bytes()) {
            file.truncate(cut.bytes());
        }
        return new PartialFile(part, disk, file, cut, bits, spent, hashing);
    }

    private static int mapBytes(Cut cut) {
        return (cut.blocks() + 7) / 8;
    }

    private static BitSet map(byte[] stored, int from, int to, Cut cut) {
        BitSet map = BitSet.valueOf(Arrays.copyOfRange(stored, from, to));
        map.clear(cut.blocks(), Math.max(cut.blocks(), map.length()));
        return map;
    }

    private static byte[] header(Cut cut) {
        return ByteBuffer.allocate(HEADER_BYTES)
                .putInt(MAGIC)
                .putInt(cut.blocks())
                .putLong(cut.bytes())
                .putLong(cut.id())
                .array();
    }

    @Override
    public boolean has(int block) {
        return bits.get(block);
    }

    /** Keeps a block that was verified. */
    @Override
    public void write(int block, long offset, ByteBuffer bytes) throws IOException {
        ByteBuffer hashed = bytes.duplicate();
        write(block, offset, bytes, into -> into.update(hashed));
    }

    /** The same at the place that the block has. */
    void write(int block, Binary bytes) throws IOException {
        write(block, cut.offset(block), bytes.toBuffer(), bytes::update);
    }

    private void write(int block, long offset, ByteBuffer bytes, Consumer<MessageDigest> hasher) throws IOException {
        dirtyBytes += bytes.remaining();
        file.write(bytes, offset);
        bits.set(block);
        hashOrLeave(block, hasher);
        if (dirtyBytes >= SYNC_BYTES) {
            commit();
        }
    }

    /** A sector that cannot be read does not end a download: {@link #finish} meets it again. */
    private void hashOrLeave(int block, Consumer<MessageDigest> bytes) throws DiskException {
        try {
            hash(block, bytes);
        } catch (DiskException e) {
            if (e.isInterrupt()) {
                throw e;
            }
        } catch (IOException e) {
            return;
        }
    }

    /** Takes the bytes of a new block, and of those after it that came earlier. */
    private void hash(int block, Consumer<MessageDigest> bytes) throws IOException {
        if (!hashing) {
            return;
        }
        if (block < hashedBlocks) {
            // What was hashed is not what is there now.
            digest.reset();
            hashedBlocks = 0;
        }
        hashStored(block);
        if (block == hashedBlocks) {
            bytes.accept(digest);
            hashedBlocks++;
            hashStored(cut.blocks());
        }
    }

    /** Takes the blocks that are there, from the first that the hash lacks, up to {@code end} or the next gap. */
    private void hashStored(int end) throws IOException {
        for (; hashedBlocks < end && bits.get(hashedBlocks); hashedBlocks++) {
            digest.update(read(hashedBlocks));
        }
    }

    /** The bytes of a block as they are on the disk; short where the file ends early. */
    private ByteBuffer read(int block) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(cut.length(block));
        file.read(buffer, cut.offset(block));
        return buffer.flip();
    }

    /**
     * Lets the bytes on the disk count by their leaf hashes, in order, whatever the bitmap says. A sector that cannot be read
     * is as good as a block that is not there.
     */
    void recheck(List<Sha256> leaves) {
        bits.clear();
        for (int block = 0; block < cut.blocks(); block++) {
            try {
                ByteBuffer bytes = cut.offset(block) < file.size() ? read(block) : ByteBuffer.allocate(0);
                if (bytes.hasRemaining()
                        && MerkleTree.leaf(bytes.array(), 0, bytes.limit()).equals(leaves.get(block))) {
                    bits.set(block);
                    hash(block, into -> into.update(bytes));
                }
            } catch (IOException e) {
                bits.clear(block);
            }
        }
    }

    /** Counts a block that came over the network, the first time that it does; durable with the next {@link #commit}. */
    void spend(int block) {
        if (!spent.get(block)) {
            spent.set(block);
            spentBytes += cut.length(block);
        }
    }

    /** The length of all blocks that came, to earlier processes too; once for each, however often the disk lost it. */
    long spentBytes() {
        return spentBytes;
    }

    /** Data first, then the bitmap that describes it. */
    void commit() throws IOException {
        file.force();
        byte[] here = bits.toByteArray();
        byte[] came = spent.toByteArray();
        byte[] named = Arrays.copyOf(header(cut), HEADER_BYTES + mapBytes(cut) + came.length);
        System.arraycopy(here, 0, named, HEADER_BYTES, here.length);
        System.arraycopy(came, 0, named, HEADER_BYTES + mapBytes(cut), came.length);
        disk.replace(have, named);
        dirtyBytes = 0;
    }

    /** Forces the file, all of whose blocks are there, and ends its hash. */
    Whole finish() throws IOException {
        if (!hashing || nextMissing(0) >= 0) {
            throw new IllegalStateException("no hash, or a block is missing: " + part);
        }
        commit();
        try {
            hashStored(cut.blocks());
        } catch (IOException e) {
            DiskException failure = DiskException.of(part, e);
            if (!failure.isInterrupt()) {
                // The sector cannot be read: its block has to come again.
                bits.clear(hashedBlocks);
                commit();
            }
            throw failure;
        }
        return new Whole(part, Sha256.finish(digest));
    }

    int count() {
        return bits.cardinality();
    }

    int nextMissing(int from) {
        int block = bits.nextClearBit(from);
        return block < cut.blocks() ? block : -1;
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
