package dev.holdfast.fleet;

import dev.holdfast.wire.Progress;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Takes a file among the blobs, under its digest. */
final class BlobCopy {
    private static final int STEP_BYTES = 8 * 1024 * 1024;

    private BlobCopy() {}

    static Sha256 keep(FleetDirectory directory, Path file, Progress progress) throws IOException {
        Path temporary = Files.createTempFile(directory.blobs(), "new-", ".tmp");
        try {
            copy(file, temporary, progress);
            // Hash of the copy: the original may change under us.
            Sha256 digest = Sha256.ofFile(temporary);
            FleetDirectory.move(temporary, directory.blob(digest));
            return digest;
        } finally {
            Files.deleteIfExists(temporary);
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
}
