package dev.holdfast.link;

import java.time.Duration;
import java.util.function.LongSupplier;
import org.slf4j.Logger;

/**
 * Warnings about what others send, of which there may be any number: at most {@value #LINES} a minute, and then how many were left
 * out. Thread-safe.
 */
public final class QuietLog {
    public static final int LINES = 30;
    private static final long MINUTE_NANOS = Duration.ofMinutes(1).toNanos();

    private final Logger log;
    private final LongSupplier nanos;
    private long began;
    private int lines;
    private long left;

    public QuietLog(Logger log) {
        this(log, System::nanoTime);
    }

    QuietLog(Logger log, LongSupplier nanos) {
        this.log = log;
        this.nanos = nanos;
        this.began = nanos.getAsLong();
    }

    public void warn(String format, Object... arguments) {
        long untold = 0;
        synchronized (this) {
            long now = nanos.getAsLong();
            if (now - began >= MINUTE_NANOS) {
                began = now;
                lines = 0;
                untold = left;
                left = 0;
            }
            if (lines >= LINES) {
                left++;
                return;
            }
            lines++;
        }
        if (untold > 0) {
            log.warn("{} more warnings about messages were left out", untold);
        }
        log.warn(format, arguments);
    }
}
