package dev.holdfast.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** The file system of the device. Thread-safe; an {@link OpenFile} is not. */
public final class LocalDisk implements Disk {
    private static final Set<StandardOpenOption> OPTIONS =
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);

    @FunctionalInterface
    private interface Operation {
        void run() throws IOException;
    }

    @FunctionalInterface
    private interface Question<T> {
        T ask() throws IOException;
    }

    private static void run(Path file, Operation operation) throws DiskException {
        try {
            operation.run();
        } catch (IOException e) {
            throw DiskException.of(file, e);
        }
    }

    private static <T> T ask(Path file, Question<T> question) throws DiskException {
        try {
            return question.ask();
        } catch (IOException e) {
            throw DiskException.of(file, e);
        }
    }

    @Override
    public OpenFile open(Path file, Access access) throws DiskException {
        return new Channel(file, ask(file, () -> FileChannel.open(file, OPTIONS, access.ofFile())));
    }

    @Override
    public void rename(Path from, Path to) throws DiskException {
        run(to, () -> Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING));
    }

    @Override
    public void deleteIfExists(Path file) throws DiskException {
        run(file, () -> Files.deleteIfExists(file));
    }

    @Override
    public void syncDirectory(Path directory) throws DiskException {
        run(directory, () -> {
            try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
                channel.force(true);
            }
        });
    }

    @Override
    public void createDirectories(Path directory, Access access) throws DiskException {
        run(directory, () -> {
            make(directory, access);
            if (access == Access.PRIVATE) {
                Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
            }
        });
    }

    private void make(Path directory, Access access) throws IOException {
        if (!Files.isDirectory(directory)) {
            Path parent = Disk.directoryOf(directory);
            make(parent, access);
            Files.createDirectories(directory, access.ofDirectory());
            syncDirectory(parent);
        }
    }

    private record Channel(Path file, FileChannel channel) implements OpenFile {
        @Override
        public long size() throws DiskException {
            return ask(file, channel::size);
        }

        @Override
        public void read(ByteBuffer bytes, long offset) throws DiskException {
            int begin = bytes.position();
            run(file, () -> {
                while (bytes.hasRemaining() && channel.read(bytes, offset + bytes.position() - begin) >= 0) {
                    // Until the buffer is full or the file ends.
                }
            });
        }

        @Override
        public void write(ByteBuffer bytes, long offset) throws DiskException {
            run(file, () -> {
                for (long at = offset; bytes.hasRemaining(); ) {
                    at += channel.write(bytes, at);
                }
            });
        }

        @Override
        public void truncate(long bytes) throws DiskException {
            run(file, () -> channel.truncate(bytes));
        }

        @Override
        public void force() throws DiskException {
            run(file, () -> channel.force(true));
        }

        @Override
        public void close() throws DiskException {
            run(file, channel::close);
        }
    }
}
