package dev.holdfast.tee;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.CodedFailure;
import dev.holdfast.wire.Rejection;

/** The root of trust did not do what was asked: it is gone, too slow, refused, or answered nonsense. */
public final class TeeException extends Exception implements CodedFailure {
    private static final long serialVersionUID = 1L;

    private final Code code;

    public TeeException(Code code, String message) {
        super(code.id() + ": " + message);
        this.code = code;
    }

    public TeeException(Code code, String message, Throwable cause) {
        super(code.id() + ": " + message, cause);
        this.code = code;
    }

    /** The same fault, seen from the thread that asked. */
    public TeeException(TeeException cause) {
        super(cause.getMessage(), cause);
        this.code = cause.code;
    }

    @Override
    public Rejection rejection() {
        String said = String.valueOf(getMessage());
        String lead = code.id() + ": ";
        return new Rejection(code, said.startsWith(lead) ? said.substring(lead.length()) : said);
    }

    /** One of the {@code TEE_} codes. */
    public Code code() {
        return code;
    }
}
