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
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Hands out leaves and blocks of published files, which are public within the fleet. The leaves of a file are computed once, when it
 * is published or, for what an earlier version published, when they are first asked for. That reads it whole, and they are kept in
 * {@code leaves/<sha256>}; a question reads what it is answered with and no more. Thread-safe.
 */
final class BlockServer {
    private static final byte[] MAGIC = "hfleaf1\0".getBytes(StandardCharsets.US_ASCII);
    /** Before the leaves: the magic bytes, then length and time of change of the file, so that one repaired in place gets new ones. */
    private static final int HEAD_BYTES = MAGIC.length + 2 * Long.BYTES;

    /** Reads a file whole. */
    @FunctionalInterface
    interface Leaves {
        List<Sha256> of(Path file) throws IOException;
    }

    private final FleetDirectory directory;
    private final Leaves leaves;
    /** One file at a time: whoever asks for the leaves of all must not read all at once. */
    private final ReentrantLock reading = new ReentrantLock();

    BlockServer(FleetDirectory directory) {
        this(directory, file -> MerkleTree.leaves(file, Publication.BLOCK_BYTES));
    }

    BlockServer(FleetDirectory directory, Leaves leaves) {
        this.directory = directory;
        this.leaves = leaves;
    }

    /** The file, where there is one. The name is 64 hexadecimal digits and so can lead nowhere else. */
    Optional<Path> find(Sha256 digest) {
        Path file = directory.blob(digest);
        return Files.isRegularFile(file) ? Optional.of(file) : Optional.empty();
    }

    /**
     * Leaves for blocks of {@link Publication#BLOCK_BYTES}, 32 bytes each, from number {@code first} on: {@code count} of them, or as
     * many as there are. {@code BLK-UNKNOWN} where there is none, {@code API-BUSY} while those of a file are computed: nobody waits
     * for that.
     */
    Binary leaves(Sha256 digest, Path file, int first, int count) throws IOException, RejectedException {
        long size = Files.size(file);
        long all = Math.ceilDiv(size, Publication.BLOCK_BYTES);
        if (first < 0 || first >= all || count < 1) {
            throw new RejectedException(Code.BLK_UNKNOWN, "the file has " + all + " blocks");
        }
        byte[] head = head(file, size);
        Path list = list(digest);
        int bytes = (int) Math.min(count, all - first) * Sha256.BYTES;
        long offset = HEAD_BYTES + (long) first * Sha256.BYTES;
        Optional<Binary> known = read(list, head, all, offset, bytes);
        if (known.isPresent()) {
            return known.get();
        }
        if (!reading.tryLock()) {
            throw new RejectedException(Code.API_BUSY, "the leaves of a file are being computed");
        }
        try {
            if (read(list, head, all, 0, 0).isEmpty()) {
                write(list, head, leaves.of(file));
            }
        } finally {
            reading.unlock();
        }
        return read(list, head, all, offset, bytes)
                .orElseThrow(() -> new IOException(file + " changed while its leaves were computed"));
    }

    /** The leaves of a file that is being published, which devices find written down. */
    List<Sha256> published(Sha256 digest) throws IOException {
        Path file = directory.blob(digest);
        byte[] head = head(file, Files.size(file));
        List<Sha256> all = leaves.of(file);
        write(list(digest), head, all);
        return all;
    }

    private Path list(Sha256 digest) {
        return directory.leaves().resolve(digest.hex());
    }

    private static byte[] head(Path file, long size) throws IOException {
        return ByteBuffer.allocate(HEAD_BYTES)
                .put(MAGIC)
                .putLong(size)
                .putLong(Files.getLastModifiedTime(file).to(TimeUnit.NANOSECONDS))
                .array();
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

    private void write(Path list, byte[] head, List<Sha256> all) throws IOException {
        Disk.LOCAL.createDirectories(directory.leaves());
        Path temporary = Files.createTempFile(directory.leaves(), "new-", ".tmp");
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.writeBytes(head);
            all.forEach(leaf -> out.writeBytes(leaf.toArray()));
            Files.write(temporary, out.toByteArray());
            FleetDirectory.move(temporary, list);
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
