package dev.holdfast.fleet;

import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One writer at a time: among processes by a lock on a file, among the threads of this one by a lock in memory, since a second file lock within a
 * JVM is an exception and not a wait. Whoever holds it may take it again.
 */
final class WriterLock {
    /** One for each file, however many directories and repositories were opened on it. */
    private static final Map<Path, WriterLock> LOCKS = new ConcurrentHashMap<>();

    private final Path file;
    private final ReentrantLock threads = new ReentrantLock();

    private WriterLock(Path file) {
        this.file = file;
    }

    /** The lock of a folder that exists; the file is created where it is absent, and stays. */
    static WriterLock of(Path folder, String name) throws IOException {
        return LOCKS.computeIfAbsent(folder.toRealPath().resolve(name), WriterLock::new);
    }

    <T> T run(FleetDirectory.Work<T> work) throws IOException, RejectedException {
        threads.lock();
        try {
            if (threads.getHoldCount() > 1) {
                return work.run();
            }
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock held = channel.lock()) {
                if (!held.isValid()) {
                    throw new IOException(file + " cannot be locked");
                }
                return work.run();
            }
        } finally {
            threads.unlock();
        }
    }
}
