package dev.holdfast.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * Every change on the disk that must survive a crash, one method each, so that a test can end the process before and after
 * each of them and can forget what was not forced. Reading needs no seam.
 *
 * <p>Each operation fails by a {@link DiskException}, so that a full disk is told as one and never as a fault of the network.
 *
 * <p>What a power cut leaves: the bytes of a file up to its last {@link OpenFile#force}, and the names of a directory up
 * to its last {@link #syncDirectory}. Anything later may be there, in part or not at all.
 */
public interface Disk {
    /** The device's own. */
    Disk LOCAL = new LocalDisk();

    String TEMPORARY = ".tmp";

    /** Who can read a file or a directory that is made here. A file or directory has its mode from its first moment on. */
    enum Access {
        /** What the process's umask leaves. */
        SHARED,
        /** The owner alone: mode 0600, and 0700 for a directory. */
        PRIVATE;

        /** For a file that is made by other means, such as a lock. */
        public FileAttribute<?>[] ofFile() {
            return attributes("rw-------");
        }

        FileAttribute<?>[] ofDirectory() {
            return attributes("rwx------");
        }

        private FileAttribute<?>[] attributes(String mode) {
            return switch (this) {
                case SHARED -> new FileAttribute<?>[0];
                case PRIVATE ->
                    new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode))
                    };
            };
        }
    }

    /** Opens for reading and writing; makes an empty file where there is none. */
    OpenFile open(Path file, Access access) throws IOException;

    default OpenFile open(Path file) throws IOException {
        return open(file, Access.SHARED);
    }

    /** Takes the place of what had the name {@code to}, at once. */
    void rename(Path from, Path to) throws IOException;

    void deleteIfExists(Path file) throws IOException;

    void syncDirectory(Path directory) throws IOException;

    /**
     * Durable when it returns. A private directory that is there already is taken from group and others; of the parents, those
     * that are made are as private.
     */
    void createDirectories(Path directory, Access access) throws IOException;

    default void createDirectories(Path directory) throws IOException {
        createDirectories(directory, Access.SHARED);
    }

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

    /**
     * Survives a power cut whole or not at all: temporary file, fsync, rename, fsync of the directory. Not for concurrent
     * writers of one file.
     */
    default void replace(Path file, byte[] bytes, Access access) throws IOException {
        Path temporary = file.resolveSibling(file.getFileName() + TEMPORARY);
        if (access == Access.PRIVATE) {
            // One that was left over may have another mode.
            deleteIfExists(temporary);
        }
        try (OpenFile open = open(temporary, access)) {
            open.truncate(0);
            open.write(ByteBuffer.wrap(bytes), 0);
            open.force();
        }
        move(temporary, file);
    }

    default void replace(Path file, byte[] bytes) throws IOException {
        replace(file, bytes, Access.SHARED);
    }

    /** Makes the bytes durable that came into a file by other means; the file must exist. */
    default void force(Path file) throws IOException {
        if (!Files.exists(file)) {
            throw new NoSuchFileException(file.toString());
        }
        try (OpenFile open = open(file)) {
            open.force();
        }
    }

    /** For good when it returns. A file that is absent may be so only in memory, therefore its directory is forced too. */
    default void delete(Path file) throws IOException {
        deleteIfExists(file);
        syncDirectory(directoryOf(file));
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
