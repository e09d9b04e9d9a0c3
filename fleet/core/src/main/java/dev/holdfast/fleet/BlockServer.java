package dev.holdfast.fleet;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Hands out leaves and blocks of published files, which are public within the fleet. Thread-safe. */
final class BlockServer {
    /** Leaf lists that stay in memory: a kibibyte for each MiB of file. */
    private static final int MAX_LISTS = 16;

    private final FleetDirectory directory;
    /** A file as it was when its leaves were computed: one that was repaired in place gets new leaves. */
    private record Edition(Sha256 digest, FileTime changed) {}

    private final Map<Edition, List<Sha256>> lists = new LinkedHashMap<>(MAX_LISTS, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Edition, List<Sha256>> eldest) {
            return size() > MAX_LISTS;
        }
    };

    BlockServer(FleetDirectory directory) {
        this.directory = directory;
    }

    /** The file, where there is one. The name is 64 hexadecimal digits and so can lead nowhere else. */
    Optional<Path> find(Sha256 digest) {
        Path file = directory.blob(digest);
        return Files.isRegularFile(file) ? Optional.of(file) : Optional.empty();
    }

    /** All leaves for blocks of {@link Publication#BLOCK_BYTES}. */
    synchronized List<Sha256> leaves(Sha256 digest, Path file) throws IOException {
        Edition edition = new Edition(digest, Files.getLastModifiedTime(file));
        List<Sha256> known = lists.get(edition);
        if (known == null) {
            known = List.copyOf(MerkleTree.leaves(file, Publication.BLOCK_BYTES));
            lists.put(edition, known);
        }
        return known;
    }

    /** One block, or empty where the file ends before it. */
    static Optional<Binary> block(FileChannel channel, int index, int blockBytes) throws IOException {
        long offset = (long) index * blockBytes;
        long size = channel.size();
        if (offset >= size) {
            return Optional.empty();
        }
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(blockBytes, size - offset));
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, offset + buffer.position()) < 0) {
                throw new IOException("the file became shorter");
            }
        }
        return Optional.of(Binary.copyOf(buffer.array()));
    }

    static FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.READ);
    }
}
