package dev.holdfast.fleet;

import dev.holdfast.wire.Progress;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The copy of a file among the blobs that nobody is served yet: it has no digest for a name. It is looked at, then kept or thrown
 * away. What is looked at is what is kept, whatever happens to the original. Belongs to one thread.
 */
final class StagedFile implements AutoCloseable {
    private static final int STEP_BYTES = 8 * 1024 * 1024;

    private final FleetDirectory directory;
    private final Path path;
    private final Sha256 digest;

    private StagedFile(FleetDirectory directory, Path path, Sha256 digest) {
        this.directory = directory;
        this.path = path;
        this.digest = digest;
    }

    /** Copies in pieces of {@value #STEP_BYTES} bytes, whatever the length. */
    static StagedFile copy(FleetDirectory directory, Path file, Progress progress) throws IOException {
        Path temporary = Files.createTempFile(directory.blobs(), "new-", ".tmp");
        try {
            copy(file, temporary, progress);
            // Hash of the copy: the original may change under us.
            return new StagedFile(directory, temporary, Sha256.ofFile(temporary));
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(temporary);
            throw e;
        }
    }

    private static void copy(Path from, Path to, Progress progress) throws IOException {
        try (FileChannel in = FileChannel.open(from, StandardOpenOption.READ);
                FileChannel out =
                        FileChannel.open(to, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            long total = in.size();
            for (long at = 0; at < total; progress.at(at, total)) {
                long copied = in.transferTo(at, STEP_BYTES, out);
                if (copied <= 0) {
                    throw new IOException(from + " became shorter while it was copied");
                }
                at += copied;
            }
        }
    }

    Path path() {
        return path;
    }

    Sha256 digest() {
        return digest;
    }

    /** Gives the copy its place by digest; durable when it returns. @return that place */
    Path keep() throws IOException {
        FleetDirectory.move(path, directory.blob(digest));
        return directory.blob(digest);
    }

    /** Throws the copy away where it was not kept. */
    @Override
    public void close() throws IOException {
        Files.deleteIfExists(path);
    }
}
