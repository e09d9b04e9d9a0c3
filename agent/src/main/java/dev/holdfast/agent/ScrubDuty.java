package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.updater.ModelTarget;
import dev.holdfast.updater.Slot;
import dev.holdfast.updater.StoreScrub;
import dev.holdfast.updater.TrustClient;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
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

    private static final Logger LOG = LoggerFactory.getLogger(ScrubDuty.class);

    private final StoreScrub scrub;
    private final Supplier<Optional<TrustClient>> trust;
    private final Runnable takenOut;
    private final InstantSource clock;
    private final Duration every;
    private final Thread thread;
    private volatile Optional<StoreScrub.Pass> last = Optional.empty();

    /**
     * @param trust who knows what the fleet lists; nobody until the agent has begun
     * @param takenOut told when a damaged model went out of service, so that its order is carried out again
     * @param every pause between two passes; zero for never
     */
    static ScrubDuty start(
            StoreScrub scrub,
            Supplier<Optional<TrustClient>> trust,
            Runnable takenOut,
            InstantSource clock,
            Duration every) {
        ScrubDuty duty = new ScrubDuty(scrub, trust, takenOut, clock, every);
        if (!every.isZero()) {
            duty.thread.start();
        }
        return duty;
    }

    private ScrubDuty(
            StoreScrub scrub,
            Supplier<Optional<TrustClient>> trust,
            Runnable takenOut,
            InstantSource clock,
            Duration every) {
        this.scrub = scrub;
        this.trust = trust;
        this.takenOut = takenOut;
        this.clock = clock;
        this.every = every;
        this.thread = Thread.ofPlatform()
                .name("agent-scrub")
                .priority(Thread.MIN_PRIORITY)
                .daemon()
                .unstarted(this::work);
    }

    private void work() {
        try {
            while (true) {
                Thread.sleep(every);
                try {
                    pass();
                } catch (IOException | RuntimeException e) {
                    LOG.warn("scrub: {}", e.toString());
                }
            }
        } catch (InterruptedException e) {
            // The agent stops.
        }
    }

    private void pass() throws IOException, InterruptedException {
        StoreScrub.Pass pass = scrub.run(clock.instant(), this::listed);
        last = Optional.of(pass);
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
