package dev.holdfast.wire;

import java.time.Duration;
import java.util.function.LongSupplier;
import org.slf4j.Logger;

/**
 * Warnings about what others do, of which there may be any number: at most so many a minute, and then how many were left out.
 * Thread-safe.
 */
public final class QuietLog {
    public static final int LINES = 30;
    private static final long MINUTE_NANOS = Duration.ofMinutes(1).toNanos();

    private final Logger log;
    private final int most;
    private final LongSupplier nanos;
    private long began;
    private int lines;
    private long left;

    /** At most {@value #LINES} a minute. */
    public QuietLog(Logger log) {
        this(log, LINES);
    }

    /** @param most lines a minute */
    public QuietLog(Logger log, int most) {
        this(log, most, System::nanoTime);
    }

    QuietLog(Logger log, int most, LongSupplier nanos) {
        this.log = log;
        this.most = most;
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
            if (lines >= most) {
                left++;
                return;
            }
            lines++;
        }
        if (untold > 0) {
            log.warn("{} more warnings were left out", untold);
        }
        log.warn(format, arguments);
    }
}
