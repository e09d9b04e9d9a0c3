package dev.holdfast.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * Every change that an install makes on the disk, one method each, so that a test can end the process before and after
 * each of them and can forget what was not forced. Reading needs no seam.
 *
 * <p>What a power cut leaves: the bytes of a file up to its last {@link OpenFile#force}, and the names of a directory up
 * to its last {@link #syncDirectory}. Anything later may be there, in part or not at all.
 */
public interface Disk {
    /** The device's own. */
    Disk LOCAL = new LocalDisk();

    String TEMPORARY = ".tmp";

    /** Opens for reading and writing; makes an empty file where there is none. */
    OpenFile open(Path file) throws IOException;

    /** Takes the place of what had the name {@code to}, at once. */
    void rename(Path from, Path to) throws IOException;

    void deleteIfExists(Path file) throws IOException;

    void syncDirectory(Path directory) throws IOException;

    /** Durable when it returns. */
    void createDirectories(Path directory) throws IOException;

    /** A file held open. One thread. */
    interface OpenFile extends AutoCloseable {
        long size() throws IOException;

        /** Reads until {@code bytes} is full or the file ends. */
        void read(ByteBuffer bytes, long offset) throws IOException;

        /** Writes all of {@code bytes}. */
        void write(ByteBuffer bytes, long offset) throws IOException;

        void truncate(long bytes) throws IOException;

        /** Bytes and length are on the disk when it returns. */
        void force() throws IOException;

        @Override
        void close() throws IOException;
    }

    /** Survives a power cut whole or not at all: temporary file, fsync, rename, fsync of the directory. */
    default void replace(Path file, byte[] bytes) throws IOException {
        Path temporary = file.resolveSibling(file.getFileName() + TEMPORARY);
        try (OpenFile open = open(temporary)) {
            open.truncate(0);
            open.write(ByteBuffer.wrap(bytes), 0);
            open.force();
        }
        move(temporary, file);
    }

    /** Durable when it returns; the old name may come back after a power cut where the directories differ. */
    default void move(Path from, Path to) throws IOException {
        rename(from, to);
        syncDirectory(directoryOf(to));
    }

    static Path directoryOf(Path file) {
        Path parent = file.toAbsolutePath().getParent();
        return parent == null ? file.toAbsolutePath() : parent;
    }
}
