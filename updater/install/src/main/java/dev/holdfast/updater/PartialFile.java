package dev.holdfast.updater;

import dev.holdfast.delta.BlockOutput;
import dev.holdfast.storage.Disk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;

/**
 * A file in the making and the bitmap of its verified blocks. Blocks are written in place; the bitmap on the disk names
 * only blocks whose bytes were forced to the disk before it. One thread.
 *
 * <p>{@code .have}: "HFB2", i32 block count, i64 file length, i64 layout (block length, or a hash of the block table), i64
 * payload bytes that were received for it, then the bitmap, all big-endian. A file of another layout starts from nothing.
 */
final class PartialFile implements BlockOutput, AutoCloseable {
    private static final int MAGIC = 0x48464232;
    private static final int LAYOUT_BYTES = 24;
    private static final int HEADER_BYTES = LAYOUT_BYTES + Long.BYTES;
    /** Verified bytes that a power cut may cost. */
    private static final long SYNC_BYTES = 4L << 20;

    private final Path part;
    private final Path have;
    private final Disk disk;
    private final Disk.OpenFile file;
    private final BitSet bits;
    private final int blockCount;
    private final long length;
    private final long layout;
    private long dirtyBytes;
    private long spentBytes;

    private PartialFile(
            Path part,
            Disk disk,
            Disk.OpenFile file,
            BitSet bits,
            int blockCount,
            long length,
            long layout,
            long spentBytes) {
        this.part = part;
        this.have = bitmapOf(part);
        this.disk = disk;
        this.file = file;
        this.bits = bits;
        this.blockCount = blockCount;
        this.length = length;
        this.layout = layout;
        this.spentBytes = spentBytes;
    }

    static Path bitmapOf(Path part) {
        String name = part.getFileName().toString();
        return part.resolveSibling(name.substring(0, name.length() - ".part".length()) + ".have");
    }

    static PartialFile open(Disk disk, Path part, int blockCount, long length, long layout) throws IOException {
        byte[] header = header(blockCount, length, layout, 0);
        long spent = 0;
        Path have = bitmapOf(part);
        BitSet bits = new BitSet(blockCount);
        if (Files.exists(part) && Files.exists(have) && Files.size(have) <= HEADER_BYTES + (blockCount + 7) / 8) {
            byte[] stored = Files.readAllBytes(have);
            if (stored.length >= HEADER_BYTES && Arrays.equals(header, 0, LAYOUT_BYTES, stored, 0, LAYOUT_BYTES)) {
                spent = Math.max(0, ByteBuffer.wrap(stored).getLong(LAYOUT_BYTES));
                bits = BitSet.valueOf(Arrays.copyOfRange(stored, HEADER_BYTES, stored.length));
                bits.clear(blockCount, Math.max(blockCount, bits.length()));
            }
        }
        Disk.OpenFile file = disk.open(part);
        if (file.size() > length) {
            file.truncate(length);
        }
        return new PartialFile(part, disk, file, bits, blockCount, length, layout, spent);
    }

    private static byte[] header(int blockCount, long length, long layout, long spentBytes) {
        return ByteBuffer.allocate(HEADER_BYTES)
                .putInt(MAGIC)
                .putInt(blockCount)
                .putLong(length)
                .putLong(layout)
                .putLong(spentBytes)
                .array();
    }

    @Override
    public boolean has(int block) {
        return bits.get(block);
    }

    /** Keeps a block that was verified. */
    @Override
    public void write(int block, long offset, ByteBuffer bytes) throws IOException {
        try {
            dirtyBytes += bytes.remaining();
            file.write(bytes, offset);
            bits.set(block);
            if (dirtyBytes >= SYNC_BYTES) {
                commit();
            }
        } catch (IOException e) {
            throw new StorageException(e);
        }
    }

    /** The bytes of a block as they lie on the disk; short where the file ends early. */
    byte[] read(long offset, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        file.read(buffer, offset);
        return Arrays.copyOf(buffer.array(), buffer.position());
    }

    /** Sets what a check of the bytes on the disk found. */
    void mark(int block, boolean good) {
        bits.set(block, good);
    }

    /** Counts payload that came for this file, kept or not; durable with the next {@link #commit}. */
    void spend(long bytes) {
        spentBytes += bytes;
    }

    /** What was received for this file, by earlier processes too. */
    long spentBytes() {
        return spentBytes;
    }

    /** Data first, then the bitmap that speaks of it. */
    void commit() throws IOException {
        try {
            file.force();
            byte[] map = bits.toByteArray();
            byte[] named = Arrays.copyOf(header(blockCount, length, layout, spentBytes), HEADER_BYTES + map.length);
            System.arraycopy(map, 0, named, HEADER_BYTES, map.length);
            disk.replace(have, named);
            dirtyBytes = 0;
        } catch (IOException e) {
            throw new StorageException(e);
        }
    }

    int count() {
        return bits.cardinality();
    }

    int nextMissing(int from) {
        int block = bits.nextClearBit(from);
        return block < blockCount ? block : -1;
    }

    Path path() {
        return part;
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
