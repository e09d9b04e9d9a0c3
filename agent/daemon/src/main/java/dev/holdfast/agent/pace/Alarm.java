package dev.holdfast.agent.pace;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;

/**
 * The pauses of a loop. They are measured by a clock that nobody sets, and end early for whoever has something to do: at once for the
 * device's own parts, and as each pause allows for hints, which anybody may send. A step of the wall clock ends a pause too, since
 * what was to wait for may be past. One thread waits; any may wake it or ask.
 */
public final class Alarm {
    /** How soon a step of the clock is noticed. */
    private static final Duration SLICE = Duration.ofSeconds(10);
    /** More than a clock is slewed by within a slice. */
    private static final long STEP_MILLIS = 2000;

    private static final int MAX_HINT_BYTES = 18;

    /**
     * How long to wait, and for what.
     *
     * @param hintsAfter when a hint ends it; empty where none does
     * @param what what is waited for, for a person: "the next look at the fleet"
     */
    public record Pause(Duration length, Optional<Duration> hintsAfter, String what) {
        public static Pause of(Duration length, String what) {
            return new Pause(length, Optional.empty(), what);
        }

        public Pause endedByHintsAfter(Duration least) {
            return new Pause(length, Optional.of(least), what);
        }
    }

    /** What is waited for, and until when at most. */
    public record Waiting(String what, Instant until) {}

    private record Current(Pause pause, long sinceNanos) {}

    private final InstantSource clock;
    private final LongSupplier nanoTime;
    private final Runnable pulse;
    private final Semaphore bell = new Semaphore(0);
    private final AtomicBoolean hinted = new AtomicBoolean();
    private volatile boolean woken;
    private volatile Optional<Current> current = Optional.empty();

    public Alarm(InstantSource clock) {
        this(clock, System::nanoTime, () -> {});
    }

    /** @param pulse told whenever the loop begins something, and now and then while it waits */
    public Alarm(InstantSource clock, LongSupplier nanoTime, Runnable pulse) {
        this.clock = clock;
        this.nanoTime = nanoTime;
        this.pulse = pulse;
    }

    /** There is something to do. */
    public void wake() {
        woken = true;
        bell.release();
    }

    /** A payload of the hint topic: the number of an order that may be there. Unsigned, so it is worth a look and no more. */
    public void hint(byte[] payload) {
        if (payload.length <= MAX_HINT_BYTES && new String(payload, StandardCharsets.US_ASCII).matches("[0-9]+")) {
            hint();
        }
    }

    /** There may be something to do, as somebody says whom nobody knows. Many hints are as much as one. */
    public void hint() {
        if (hinted.compareAndSet(false, true)) {
            bell.release();
        }
    }

    /** Forgets who called: what they meant is looked at now. */
    public void begin() {
        pulse.run();
        woken = false;
        hinted.set(false);
        bell.drainPermits();
    }

    /** What is waited for at this moment; empty while something is done. */
    public Optional<Waiting> waiting() {
        return current.map(now -> {
            long left = now.pause.length().toNanos() - (nanoTime.getAsLong() - now.sinceNanos);
            return new Waiting(now.pause.what(), clock.instant().plusNanos(Math.max(0, left)));
        });
    }

    /** Waits until the pause is over, or somebody calls. */
    public void await(Pause pause) throws InterruptedException {
        long since = nanoTime.getAsLong();
        current = Optional.of(new Current(pause, since));
        try {
            long length = pause.length().toNanos();
            long hints = pause.hintsAfter().map(Duration::toNanos).orElse(Long.MAX_VALUE);
            long shift = shiftMillis();
            while (!woken && Math.abs(shiftMillis() - shift) < STEP_MILLIS) {
                pulse.run();
                long end = hinted.get() ? Math.min(length, hints) : length;
                long left = end - (nanoTime.getAsLong() - since);
                if (left <= 0) {
                    return;
                }
                if (bell.tryAcquire(Math.min(left, SLICE.toNanos()), TimeUnit.NANOSECONDS)) {
                    bell.drainPermits();
                }
            }
        } finally {
            current = Optional.empty();
        }
    }

    private long shiftMillis() {
        return clock.millis() - TimeUnit.NANOSECONDS.toMillis(nanoTime.getAsLong());
    }
}
