package dev.holdfast.attestation;

import java.time.Duration;
import java.util.function.LongSupplier;
import org.slf4j.Logger;

/** A warning about what every challenge meets, of which anybody may send any number: at most one a minute. Thread-safe. */
final class SeldomLog {
    private static final long MINUTE_NANOS = Duration.ofMinutes(1).toNanos();

    private final Logger log;
    private final LongSupplier nanoTime;
    private long saidAtNanos;

    SeldomLog(Logger log) {
        this(log, System::nanoTime);
    }

    SeldomLog(Logger log, LongSupplier nanoTime) {
        this.log = log;
        this.nanoTime = nanoTime;
        this.saidAtNanos = nanoTime.getAsLong() - MINUTE_NANOS;
    }

    void warn(String format, Object... arguments) {
        if (isTime()) {
            log.warn(format, arguments);
        } else {
            log.debug(format, arguments);
        }
    }

    private synchronized boolean isTime() {
        long now = nanoTime.getAsLong();
        if (now - saidAtNanos < MINUTE_NANOS) {
            return false;
        }
        saidAtNanos = now;
        return true;
    }
}
