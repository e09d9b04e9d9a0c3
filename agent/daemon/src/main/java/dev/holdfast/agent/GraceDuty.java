package dev.holdfast.agent;

import dev.holdfast.agent.pace.Alarm;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends the grace of older releases when its time has come, also while an install runs or nobody is online, and has those loaded that
 * should answer and do not: the thread {@code agent-grace}. Started once, closed once; it may be woken from any thread.
 */
final class GraceDuty implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(GraceDuty.class);
    private static final Duration SHORTEST = Duration.ofMillis(200);
    private static final Duration LONGEST = Duration.ofHours(1);
    private static final Duration AFTER_FAILURE = Duration.ofSeconds(30);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(2);
    private static final Duration END_LIMIT = Duration.ofSeconds(5);

    /** What is to be done; says when again. */
    @FunctionalInterface
    interface Work {
        Optional<Instant> tend() throws IOException;
    }

    private final Work work;
    private final InstantSource clock;
    private final Alarm alarm = new Alarm(InstantSource.system());
    private final Thread thread;
    private volatile boolean closed;

    private GraceDuty(Work work, InstantSource clock) {
        this.work = work;
        this.clock = clock;
        this.thread = Thread.ofPlatform().name("agent-grace").daemon().unstarted(this::run);
    }

    /** @param clock by which graces end */
    static GraceDuty start(Work work, InstantSource clock) {
        GraceDuty duty = new GraceDuty(work, clock);
        duty.thread.start();
        return duty;
    }

    /** What serves, or what is ordered, may have changed. */
    void wake() {
        alarm.wake();
    }

    private void run() {
        while (!closed) {
            alarm.begin();
            Duration pause;
            try {
                pause = work.tend()
                        .map(next -> Duration.between(clock.instant(), next))
                        .orElse(LONGEST);
            } catch (IOException e) {
                LOG.warn("older releases in their grace: {}", Faults.reasonOf(e));
                pause = AFTER_FAILURE;
            } catch (RuntimeException e) {
                LOG.error("the care for older releases failed and goes on", e);
                pause = AFTER_FAILURE;
            }
            pause = pause.compareTo(LONGEST) > 0 ? LONGEST : pause;
            pause = pause.compareTo(SHORTEST) < 0 ? SHORTEST : pause;
            try {
                alarm.await(Alarm.Pause.of(pause, "the end of a grace"));
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        alarm.wake();
        try {
            // Between two operations on the disk it ends by itself; only waiting for others needs the interrupt.
            if (!thread.join(STOP_LIMIT)) {
                thread.interrupt();
                thread.join(END_LIMIT);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
