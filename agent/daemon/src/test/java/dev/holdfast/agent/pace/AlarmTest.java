package dev.holdfast.agent.pace;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AlarmTest {
    private static final Duration HOUR = Duration.ofHours(1);
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    /** Added to what the machine's clocks say. */
    private final AtomicLong nanos = new AtomicLong();

    private final AtomicLong steppedMillis = new AtomicLong();
    private final InstantSource clock = () -> NOW.plusNanos(nanos()).plusMillis(steppedMillis.get());
    private final Alarm alarm = new Alarm(clock, this::nanos, () -> {});
    private final Thread[] waiting = new Thread[1];

    private long nanos() {
        return System.nanoTime() + nanos.get();
    }

    @AfterEach
    void end() {
        if (waiting[0] != null) {
            waiting[0].interrupt();
        }
    }

    private Thread await(Alarm.Pause pause) throws Exception {
        Thread thread = Thread.ofPlatform().daemon().start(() -> {
            try {
                alarm.await(pause);
            } catch (InterruptedException e) {
                // The test is over.
            }
        });
        waiting[0] = thread;
        while (alarm.waiting().isEmpty() && thread.isAlive()) {
            TimeUnit.MILLISECONDS.sleep(1);
        }
        return thread;
    }

    private static boolean ended(Thread thread) throws InterruptedException {
        return thread.join(Duration.ofSeconds(15));
    }

    private static boolean goesOn(Thread thread) throws InterruptedException {
        return !thread.join(Duration.ofMillis(300));
    }

    @Test
    void noNumberOfHintsEndsAPauseAfterAFailure() throws Exception {
        Thread thread = await(Alarm.Pause.of(HOUR, "the next attempt"));
        for (int i = 0; i < 10_000; i++) {
            alarm.hint();
        }
        assertThat(goesOn(thread)).isTrue();
        alarm.wake();
        assertThat(ended(thread)).as("the device's own parts do").isTrue();
    }

    @Test
    void hintsEndAPauseNoSoonerThanTheLeastInterval() throws Exception {
        long began = System.nanoTime();
        Thread thread = await(Alarm.Pause.of(HOUR, "a look").endedByHintsAfter(Duration.ofMillis(600)));
        for (int i = 0; i < 1_400; i++) {
            alarm.hint();
        }
        assertThat(ended(thread)).isTrue();
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isGreaterThanOrEqualTo(Duration.ofMillis(600));
        alarm.begin();
        assertThat(goesOn(await(Alarm.Pause.of(HOUR, "a look").endedByHintsAfter(Duration.ZERO))))
                .as("all of them were one")
                .isTrue();
    }

    @Test
    void aHintThatCameDuringALookCountsAfterIt() throws Exception {
        alarm.begin();
        alarm.hint();
        assertThat(ended(await(Alarm.Pause.of(HOUR, "a look").endedByHintsAfter(Duration.ZERO))))
                .isTrue();
    }

    /** A device without a battery is a year behind until it hears the time. */
    @Test
    void aStepOfTheClockEndsAPauseInsteadOfMakingItLonger() throws Exception {
        for (Duration step : new Duration[] {Duration.ofDays(400), Duration.ofDays(-400)}) {
            Thread thread = await(Alarm.Pause.of(HOUR, "a look"));
            steppedMillis.addAndGet(step.toMillis());
            assertThat(ended(thread)).as("after " + step).isTrue();
        }
    }

    @Test
    void saysForWhatAndUntilWhen() throws Exception {
        assertThat(alarm.waiting()).isEmpty();
        await(Alarm.Pause.of(HOUR, "the broker"));
        Alarm.Waiting now = alarm.waiting().orElseThrow();
        assertThat(now.what()).isEqualTo("the broker");
        assertThat(now.until())
                .isBetween(clock.instant().plusSeconds(3500), clock.instant().plusSeconds(3601));
    }
}
