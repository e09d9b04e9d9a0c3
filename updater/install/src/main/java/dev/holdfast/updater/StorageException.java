package dev.holdfast.updater;

import java.io.IOException;

/** The device's own disk failed or is full; kept apart from failures of the transport. */
final class StorageException extends IOException {
    private static final long serialVersionUID = 1L;

    StorageException(IOException cause) {
        super(cause.getMessage(), cause);
    }
}
