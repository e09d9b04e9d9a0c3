package dev.holdfast.fleet;

import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Hands out leaves and blocks of published files, which are public within the fleet. The leaves of a file are computed once, which
 * reads it whole, and kept in {@code leaves/<sha256>}; from then on a question reads what it is answered with and no more. Thread-safe.
 */
final class BlockServer {
    private static final byte[] MAGIC = "hfleaf1\0".getBytes(StandardCharsets.US_ASCII);
    /** Before the leaves: the magic bytes, then length and time of change of the file, so that one repaired in place gets new ones. */
    private static final int HEAD_BYTES = MAGIC.length + 2 * Long.BYTES;

    private final FleetDirectory directory;

    BlockServer(FleetDirectory directory) {
        this.directory = directory;
    }

    /** The file, where there is one. The name is 64 hexadecimal digits and so can lead nowhere else. */
    Optional<Path> find(Sha256 digest) {
        Path file = directory.blob(digest);
        return Files.isRegularFile(file) ? Optional.of(file) : Optional.empty();
    }

    /**
     * Leaves for blocks of {@link Publication#BLOCK_BYTES}, 32 bytes each, from number {@code first} on: {@code count} of them, or as
     * many as there are. {@code BLK-UNKNOWN} where there is none.
     */
    Binary leaves(Sha256 digest, Path file, int first, int count) throws IOException, RejectedException {
        long size = Files.size(file);
        long leaves = Math.ceilDiv(size, Publication.BLOCK_BYTES);
        if (first < 0 || first >= leaves || count < 1) {
            throw new RejectedException(Code.BLK_UNKNOWN, "the file has " + leaves + " blocks");
        }
        byte[] head = ByteBuffer.allocate(HEAD_BYTES)
                .put(MAGIC)
                .putLong(size)
                .putLong(Files.getLastModifiedTime(file).to(TimeUnit.NANOSECONDS))
                .array();
        Path list = directory.leaves().resolve(digest.hex());
        int bytes = (int) Math.min(count, leaves - first) * Sha256.BYTES;
        long offset = HEAD_BYTES + (long) first * Sha256.BYTES;
        Optional<Binary> known = read(list, head, leaves, offset, bytes);
        if (known.isPresent()) {
            return known.get();
        }
        return read(compute(list, head, leaves, file), head, leaves, offset, bytes)
                .orElseThrow(() -> new IOException(file + " changed while its leaves were computed"));
    }

    private static Optional<Binary> read(Path list, byte[] head, long leaves, long offset, int bytes)
            throws IOException {
        try (FileChannel channel = open(list)) {
            ByteBuffer begin = ByteBuffer.allocate(head.length);
            ByteBuffer wanted = ByteBuffer.allocate(bytes);
            return channel.size() == HEAD_BYTES + leaves * Sha256.BYTES
                            && filled(channel, begin, 0)
                            && Arrays.equals(begin.array(), head)
                            && filled(channel, wanted, offset)
                    ? Optional.of(Binary.copyOf(wanted.array()))
                    : Optional.empty();
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    /** One file at a time: whoever asks for the leaves of all must not read all at once. */
    private synchronized Path compute(Path list, byte[] head, long leaves, Path file) throws IOException {
        if (read(list, head, leaves, 0, 0).isPresent()) {
            return list;
        }
        Disk.LOCAL.createDirectories(directory.leaves());
        Path temporary = Files.createTempFile(directory.leaves(), "new-", ".tmp");
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.writeBytes(head);
            MerkleTree.leaves(file, Publication.BLOCK_BYTES).forEach(leaf -> out.writeBytes(leaf.toArray()));
            Files.write(temporary, out.toByteArray());
            FleetDirectory.move(temporary, list);
            return list;
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /** Fills {@code buffer} with what is at {@code offset}; false where the file ends before. */
    static boolean filled(FileChannel channel, ByteBuffer buffer, long offset) throws IOException {
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, offset + buffer.position()) < 0) {
                return false;
            }
        }
        return true;
    }

    /** One block, or empty where the file ends before it. */
    static Optional<Binary> block(FileChannel channel, int index, int blockBytes) throws IOException {
        long offset = (long) index * blockBytes;
        long size = channel.size();
        if (offset >= size) {
            return Optional.empty();
        }
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(blockBytes, size - offset));
        if (!filled(channel, buffer, offset)) {
            throw new IOException("the file became shorter");
        }
        return Optional.of(Binary.copyOf(buffer.array()));
    }

    static FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.READ);
    }
}
