package dev.holdfast.storage;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;

/**
 * The device's own disk failed or is full: what every operation of a {@link Disk} throws. Its type keeps it apart from failures of a
 * transport, whatever it passes through on its way.
 */
public final class DiskException extends IOException {
    private static final long serialVersionUID = 1L;

    /** What a file system that cannot take a page more may still name as free. */
    private static final long NOTHING_BYTES = 64 << 10;

    private final boolean full;

    private DiskException(String message, boolean full, IOException cause) {
        super(message, cause);
        this.full = full;
    }

    /** The same failure where it has this type already. */
    public static DiskException of(Path file, IOException failure) {
        return failure instanceof DiskException known
                ? known
                : new DiskException(file + ": " + FailureText.of(failure), isFull(file, failure), failure);
    }

    /**
     * The JDK tells ENOSPC and EDQUOT by the words of the C library alone, which speaks the language of the process. So the file system
     * is asked, too.
     */
    private static boolean isFull(Path file, IOException failure) {
        if (failure instanceof ClosedByInterruptException) {
            return false;
        }
        String words = String.valueOf(failure.getMessage()).toLowerCase(Locale.ROOT);
        if (words.contains("no space left on device") || words.contains("disk quota exceeded")) {
            return true;
        }
        try {
            return Files.getFileStore(Disk.directoryOf(file)).getUsableSpace() < NOTHING_BYTES;
        } catch (IOException | RuntimeException e) {
            return false;
        }
    }

    /** What to tell of a failure that may be the disk's: empty where it is of another kind. */
    public static Optional<Rejection> reasonOf(IOException failure) {
        return switch (failure) {
            case DiskException disk -> Optional.of(disk.reason());
            case FileSystemException read ->
                Optional.of(of(Path.of(String.valueOf(read.getFile())), read).reason());
            default -> Optional.empty();
        };
    }

    /** {@code INS-DISK} where no space is left, else {@code INS-STORAGE}. */
    public Rejection reason() {
        return new Rejection(full ? Code.INS_DISK : Code.INS_STORAGE, FailureText.of(this));
    }

    /** Whether no space is left: it goes on as soon as there is some. */
    public boolean isFull() {
        return full;
    }

    /** Whether the thread was interrupted meanwhile: nothing is wrong with the disk. */
    public boolean isInterrupt() {
        return getCause() instanceof ClosedByInterruptException;
    }
}
