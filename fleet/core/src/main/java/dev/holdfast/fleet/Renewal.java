package dev.holdfast.fleet;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Signs snapshot and timestamp again, well before they expire, while the service runs. The keys of the other roles are not the service's:
 * of those a line in the log reminds, and {@code fleet status}. What fails is tried again with the next look.
 */
public final class Renewal implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Renewal.class);
    private static final Duration EVERY = Duration.ofHours(1);

    private final FleetRepository repository;
    private final Clock clock;
    private final QuietLog quiet = new QuietLog(LOG);
    private final ScheduledExecutorService timer;

    Renewal(FleetRepository repository, Clock clock) {
        this.repository = repository;
        this.clock = clock;
        this.timer = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().name("fleet-renewal").daemon().factory());
    }

    /** Looks now, and then every hour. */
    public static Renewal start(FleetRepository repository, Clock clock) {
        Renewal renewal = new Renewal(repository, clock);
        renewal.timer.scheduleWithFixedDelay(renewal::look, 0, EVERY.toSeconds(), TimeUnit.SECONDS);
        return renewal;
    }

    private void look() {
        try {
            Set<SignedRole> signed = run();
            if (!signed.isEmpty()) {
                LOG.info("signed again: {}", signed);
            }
        } catch (RejectedException e) {
            quiet.warn("not signed again: {}", e.rejection());
        } catch (IOException e) {
            quiet.warn("not signed again: {}", new Rejection(Code.FLT_IO, e.toString()));
        } catch (RuntimeException e) {
            // The next look comes all the same.
            LOG.error("the renewal failed and goes on", e);
        }
    }

    /** One look. @return what was signed again; empty where nothing was due */
    Set<SignedRole> run() throws IOException, RejectedException {
        Instant now = clock.instant();
        Map<SignedRole, Instant> expiries = repository.expiries();
        Set<SignedRole> due = EnumSet.noneOf(SignedRole.class);
        expiries.forEach((role, expires) -> {
            if (role.keys().isOnline()) {
                if (role.isDue(expires, now)) {
                    due.add(role);
                }
            } else if (role.isLate(expires, now)) {
                quiet.warn("the role {} expires at {}; see fleet status", role, expires);
            }
        });
        return due.isEmpty() ? due : repository.renew(due);
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }
}
