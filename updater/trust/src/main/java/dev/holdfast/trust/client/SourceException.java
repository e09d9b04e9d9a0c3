package dev.holdfast.trust.client;

import dev.holdfast.storage.DiskException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;

/** A source of metadata or blocks that knows why it cannot deliver, and says so by a stable code. */
public class SourceException extends IOException {
    private static final long serialVersionUID = 1L;

    private final transient Rejection reason;

    public SourceException(Code code, String detail) {
        super(detail);
        this.reason = new Rejection(code, detail);
    }

    public SourceException(Rejection reason, Throwable cause) {
        super(reason.detail(), cause);
        this.reason = reason;
    }

    /** The code of a failure: its own, that of the device's own disk, or that no answer came. */
    public static Rejection reasonOf(IOException failure) {
        return failure instanceof SourceException source
                ? source.reason
                : DiskException.reasonOf(failure)
                        .orElseGet(() -> new Rejection(Code.LNK_TIMEOUT, String.valueOf(failure.getMessage())));
    }
}
