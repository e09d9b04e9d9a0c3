package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.storage.Disk;
import dev.holdfast.storage.DiskException;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.updater.StoreScrub;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.format.DateTimeParseException;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the models at rest read again now and then, on the thread {@code agent-scrub} of lowest priority. Started once, closed
 * once; what it found last may be asked from any thread.
 */
final class ScrubDuty implements AutoCloseable {
    /** Slow enough to leave the disk to everybody else; a model of 2 GB takes four minutes. */
    static final long BYTES_PER_SECOND = 8L << 20;

    /** A pass that is due when the agent starts waits for whatever else the start brings. */
    private static final Duration AFTER_START = Duration.ofMinutes(10);

    private static final int MAX_RECORD_BYTES = 64;

    private static final Logger LOG = LoggerFactory.getLogger(ScrubDuty.class);

    private final StoreScrub scrub;
    private final Supplier<Optional<TrustClient>> trust;
    private final Runnable takenOut;
    private final InstantSource clock;
    /** Told when the pause changed. */
    private final Semaphore changed = new Semaphore(0);

    private volatile Duration every;
    private final Path record;
    private final Thread thread;
    private volatile Optional<StoreScrub.Pass> last = Optional.empty();

    /**
     * @param trust who knows what the fleet lists; nobody until the agent has begun
     * @param takenOut told when a damaged model went out of service, so that its order is carried out again
     * @param every pause between two passes; zero for never
     * @param record file that keeps when the last pass ended, since a device may restart more often than it is read
     */
    static ScrubDuty start(
            StoreScrub scrub,
            Supplier<Optional<TrustClient>> trust,
            Runnable takenOut,
            InstantSource clock,
            Duration every,
            Path record) {
        ScrubDuty duty = new ScrubDuty(scrub, trust, takenOut, clock, every, record);
        duty.thread.start();
        return duty;
    }

    private ScrubDuty(
            StoreScrub scrub,
            Supplier<Optional<TrustClient>> trust,
            Runnable takenOut,
            InstantSource clock,
            Duration every,
            Path record) {
        this.scrub = scrub;
        this.trust = trust;
        this.takenOut = takenOut;
        this.clock = clock;
        this.every = every;
        this.record = record;
        this.thread = Thread.ofPlatform()
                .name("agent-scrub")
                .priority(Thread.MIN_PRIORITY)
                .daemon()
                .unstarted(this::work);
    }

    private void work() {
        try {
            Duration pause = untilFirst(recorded(record), clock.instant(), every);
            for (int failures = 0; ; ) {
                if (every.isZero() || changed.tryAcquire(pause.toNanos(), TimeUnit.NANOSECONDS)) {
                    awaitPasses();
                    pause = untilFirst(recorded(record), clock.instant(), every);
                    continue;
                }
                boolean done = false;
                try {
                    done = pass();
                } catch (IOException e) {
                    LOG.warn(
                            "scrub: {}",
                            DiskException.reasonOf(e).map(Object::toString).orElseGet(e::toString));
                } catch (RuntimeException e) {
                    LOG.warn("scrub: {}", e.toString());
                }
                failures = done ? 0 : failures + 1;
                pause = untilNext(failures, every);
            }
        } catch (InterruptedException e) {
            // The agent stops.
        }
    }

    /** Another pause from now on, zero for no passes. */
    void every(Duration other) {
        if (!other.equals(every)) {
            every = other;
            changed.release();
        }
    }

    /** Returns once passes are wanted. */
    private void awaitPasses() throws InterruptedException {
        while (every.isZero()) {
            changed.acquire();
        }
        changed.drainPermits();
    }

    /** How long the first pass waits. A record of the future, by a clock that was wrong, counts as none. */
    static Duration untilFirst(Optional<Instant> ended, Instant now, Duration every) {
        Duration start = every.compareTo(AFTER_START) < 0 ? every : AFTER_START;
        if (ended.isEmpty() || ended.get().isAfter(now)) {
            return start;
        }
        Duration left = Duration.between(now, ended.get().plus(every));
        return left.compareTo(start) < 0 ? start : left;
    }

    /** When the last pass ended; empty where no file says so in a way that can be read. */
    static Optional<Instant> recorded(Path record) {
        try {
            return Files.size(record) > MAX_RECORD_BYTES
                    ? Optional.empty()
                    : Optional.of(Instant.parse(Files.readString(record, StandardCharsets.ISO_8859_1)));
        } catch (IOException | DateTimeParseException e) {
            return Optional.empty();
        }
    }

    /** What could not be repaired is looked at again soon, and then less and less often: a disk that is full is free again some day. */
    static Duration untilNext(int failures, Duration every) {
        if (failures == 0) {
            return every;
        }
        Duration soon = AFTER_START.multipliedBy(1L << Math.min(failures - 1, 10));
        return soon.compareTo(every) < 0 ? soon : every;
    }

    /** Whether nothing is left to do. */
    private boolean pass() throws IOException, InterruptedException {
        StoreScrub.Pass pass = scrub.run(clock.instant(), this::listed);
        last = Optional.of(pass);
        Disk.LOCAL.replace(record, clock.instant().toString().getBytes(StandardCharsets.US_ASCII), Disk.Access.PRIVATE);
        boolean again = false;
        for (StoreScrub.Checked checked : pass.checked()) {
            if (checked.finding() != StoreScrub.Finding.SOUND) {
                LOG.warn("{} at rest: {} {}", checked.slot(), checked.finding(), checked.detail());
            }
            again |= checked.finding() == StoreScrub.Finding.TAKEN_OUT;
        }
        if (again) {
            takenOut.run();
        }
        return again || pass.isSound();
    }

    private Optional<ModelTarget> listed(Slot slot) {
        return trust.get()
                .flatMap(client -> client.listed(slot.target())
                                instanceof Verdict.Accepted<Optional<ModelTarget>>(Optional<ModelTarget> model)
                        ? model
                        : Optional.empty());
    }

    /** The {@code scrub} object of {@code holdfast status}; empty before the first pass. */
    Optional<ObjectNode> status() {
        return last.map(pass -> {
            ObjectNode node = Json.object().put("at", pass.at().toString()).put("sound", pass.isSound());
            ArrayNode models = node.putArray("models");
            for (StoreScrub.Checked checked : pass.checked()) {
                models.addObject()
                        .put("model", checked.slot().model())
                        .put("version", checked.slot().version())
                        .put("finding", checked.finding().name())
                        .put("detail", checked.detail());
            }
            return node;
        });
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
