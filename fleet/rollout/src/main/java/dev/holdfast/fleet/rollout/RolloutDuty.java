package dev.holdfast.fleet.rollout;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Moves rollouts on, a step every two seconds, on the thread {@code fleet-rollouts}. A step that fails is done again with the next. */
public final class RolloutDuty implements AutoCloseable {
    /** How the thread's name begins. */
    public static final String THREAD = "fleet-rollouts";

    private static final Logger LOG = LoggerFactory.getLogger(RolloutDuty.class);
    private static final Duration PAUSE = Duration.ofSeconds(2);

    private final RolloutEngine engine;
    private final QuietLog quiet = new QuietLog(LOG);
    private final Thread worker = Thread.ofPlatform().name(THREAD).daemon().unstarted(this::work);
    private boolean closed;

    private RolloutDuty(RolloutEngine engine) {
        this.engine = engine;
    }

    public static RolloutDuty start(RolloutEngine engine) {
        RolloutDuty duty = new RolloutDuty(engine);
        duty.worker.start();
        return duty;
    }

    private void work() {
        try {
            while (pause()) {
                try {
                    engine.step();
                } catch (IOException | RejectedException e) {
                    quiet.warn("{}", new Rejection(Code.FLT_IO, "rollouts: " + e.getMessage()));
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** @return false at the end */
    private synchronized boolean pause() throws InterruptedException {
        long end = System.nanoTime() + PAUSE.toNanos();
        for (long left = PAUSE.toMillis(); left > 0 && !closed; left = (end - System.nanoTime()) / 1_000_000) {
            wait(left);
        }
        return !closed;
    }

    /** Ends the thread after its step. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        try {
            worker.join(Duration.ofSeconds(10));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
