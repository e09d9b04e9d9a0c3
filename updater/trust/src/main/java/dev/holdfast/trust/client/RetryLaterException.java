package dev.holdfast.trust.client;

import dev.holdfast.wire.Code;
import java.time.Duration;

/** The service asks to be left alone for a while. */
public final class RetryLaterException extends SourceException {
    /** No service may hold a device off for longer: a day's outage must not follow from one message. */
    public static final Duration MAX = Duration.ofHours(1);

    private static final long serialVersionUID = 1L;

    private final Duration after;

    /** What is asked beyond {@link #MAX} is cut. */
    public RetryLaterException(Code code, String detail, Duration asked) {
        super(code, detail);
        this.after = asked.isNegative() ? Duration.ZERO : asked.compareTo(MAX) > 0 ? MAX : asked;
    }

    /** How long to wait. */
    public Duration after() {
        return after;
    }
}
