package dev.holdfast.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/** A disk that refuses whatever takes space, from the operation of a number on, until somebody frees it. One thread at a time. */
public final class FullDisk implements Disk {
    private volatile int left;
    private volatile int writes;

    /** @param left how many operations that take space succeed first */
    public FullDisk(int left) {
        this.left = left;
    }

    /** There is space from now on. */
    public void free() {
        left = Integer.MAX_VALUE;
    }

    /** There is none from now on. */
    public void fill() {
        left = 0;
    }

    /** How many operations took space, or wanted to. */
    public int writes() {
        return writes;
    }

    private void take(Path file) throws DiskException {
        writes++;
        if (left <= 0) {
            throw DiskException.of(file, new IOException("No space left on device"));
        }
        left--;
    }

    @Override
    public OpenFile open(Path file, Access access) throws IOException {
        if (!Files.exists(file)) {
            take(file);
        }
        OpenFile open = LOCAL.open(file, access);
        return new OpenFile() {
            @Override
            public long size() throws IOException {
                return open.size();
            }

            @Override
            public void read(ByteBuffer bytes, long offset) throws IOException {
                open.read(bytes, offset);
            }

            @Override
            public void write(ByteBuffer bytes, long offset) throws IOException {
                take(file);
                open.write(bytes, offset);
            }

            @Override
            public void truncate(long bytes) throws IOException {
                open.truncate(bytes);
            }

            @Override
            public void force() throws IOException {
                open.force();
            }

            @Override
            public void close() throws IOException {
                open.close();
            }
        };
    }

    @Override
    public void rename(Path from, Path to) throws IOException {
        LOCAL.rename(from, to);
    }

    @Override
    public void deleteIfExists(Path file) throws IOException {
        LOCAL.deleteIfExists(file);
    }

    @Override
    public void syncDirectory(Path directory) throws IOException {
        LOCAL.syncDirectory(directory);
    }

    @Override
    public void createDirectories(Path directory, Access access) throws IOException {
        if (!Files.isDirectory(directory)) {
            take(directory);
        }
        LOCAL.createDirectories(directory, access);
    }
}
