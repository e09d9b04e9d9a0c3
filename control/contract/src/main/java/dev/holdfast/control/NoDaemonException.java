package dev.holdfast.control;

import dev.holdfast.wire.FailureText;
import java.io.IOException;
import java.nio.file.Path;

/** Nobody can be asked behind a socket: it is not there, nobody listens on it, or this user may not connect. */
public final class NoDaemonException extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient Path socket;
    private final boolean isDenied;

    public NoDaemonException(Path socket, IOException cause) {
        super(socket.getFileName() + ": " + FailureText.of(cause), cause);
        this.socket = socket;
        // strerror(EACCES)
        this.isDenied = FailureText.of(cause).contains("Permission denied");
    }

    public Path socket() {
        return socket;
    }

    /** Whether a daemon may well listen there, and not to this user. */
    public boolean isDenied() {
        return isDenied;
    }
}
