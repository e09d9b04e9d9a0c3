package dev.holdfast.updater;

import java.io.IOException;
import java.nio.file.Path;

/** Durable writes of the trust half, straight to the device's disk. */
final class DurableFiles {
    static final String TEMPORARY = Disk.TEMPORARY;

    private DurableFiles() {}

    static void replace(Path file, byte[] bytes) throws IOException {
        Disk.LOCAL.replace(file, bytes);
    }

    static void move(Path from, Path to) throws IOException {
        Disk.LOCAL.move(from, to);
    }
}
