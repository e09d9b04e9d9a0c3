package dev.holdfast.updater;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Time passes only when somebody waits for it. */
public final class SteppedTimer implements Timer {
    public final List<Duration> waits = new ArrayList<>();
    private long nanos;

    @Override
    public long nanos() {
        return nanos;
    }

    @Override
    public void await(Object monitor, long wanted) {
        waits.add(Duration.ofNanos(wanted));
        nanos += wanted;
    }

    public Duration passed() {
        return Duration.ofNanos(nanos);
    }
}
