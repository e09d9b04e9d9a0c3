package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.bundle.SeekableBytes;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.Order;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.updater.Installer;
import dev.holdfast.updater.OfflineInstall;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at the fleet and hands what it orders to the work on each model: the thread {@code agent-work}. Started once, closed once;
 * hints, rollbacks, pauses and offline bundles may come from any thread.
 */
final class UpdateLoop implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(UpdateLoop.class);
    private static final Duration OFFLINE_LOOK = Duration.ofSeconds(1);
    /** The longest pause while something of the start is left to do. */
    private static final Duration UNFINISHED_LOOK = Duration.ofSeconds(30);

    private static final Duration LOOK_LIMIT = Duration.ofSeconds(60);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(2);
    private static final Duration END_LIMIT = Duration.ofSeconds(5);

    private final UpdateParts parts;
    private final Semaphore wake = new Semaphore(0);
    /** Whoever uses the trust client to change the device: the loop's look, or one offline bundle. */
    private final ReentrantLock turn = new ReentrantLock();

    private final Recovery recovery;
    private final Thread thread;
    private volatile Optional<TrustClient> trust = Optional.empty();
    private volatile Phase phase = new Phase.Starting();
    private volatile Set<Sha256> authorities = Set.of();
    private volatile boolean enrolled;
    private volatile boolean closed;
    private volatile Optional<Rejection> lastRejection = Optional.empty();
    private volatile Optional<ModelWork.Wait> waits = Optional.empty();

    UpdateLoop(UpdateParts parts) {
        this.parts = parts;
        this.recovery = new Recovery(parts, this::note);
        this.thread = Thread.ofPlatform().name("agent-work").daemon().unstarted(this::work);
    }

    void start() {
        thread.start();
    }

    /** Says that there may be something to do. */
    void wake() {
        wake.release();
    }

    /** Takes a payload of the hint topic: the number of an order that may be there. Unsigned, so it is worth a look and no more. */
    void hinted(byte[] payload) {
        if (new String(payload, StandardCharsets.US_ASCII).matches("[0-9]{1,18}")) {
            wake();
        }
    }

    AgentState state() {
        SortedMap<String, ModelWork.State> models = parts.works().states();
        Optional<Rejection> last = lastRejection.or(() -> models.values().stream()
                .flatMap(model -> model.lastRejection().stream())
                .findFirst());
        Optional<ModelWork.Wait> waiting = waits.or(() -> models.values().stream()
                .flatMap(model -> model.waits().stream())
                .findFirst());
        return new AgentState(phase(models), parts.fleet().connected(), enrolled, last, waiting, models);
    }

    private Phase phase(SortedMap<String, ModelWork.State> models) {
        Phase own = phase;
        if (models.values().stream().anyMatch(model -> model.phase() instanceof Phase.Installing)) {
            return new Phase.Installing();
        }
        return own instanceof Phase.Idle
                        && models.values().stream().anyMatch(model -> model.phase() instanceof Phase.Waiting)
                ? new Phase.Waiting()
                : own;
    }

    /** Who knows what the fleet lists; nobody before the TEE has let the trust client start. */
    Optional<TrustClient> trust() {
        return trust;
    }

    private void work() {
        // Before the recovery, which measures what serves under the key that the trust client knows.
        Optional<TrustClient> first = firstTrust();
        if (first.isEmpty()) {
            parts.floors().unavailable();
        }
        recover();
        trust = first;
        while (!closed) {
            try {
                turn.lockInterruptibly();
                Duration pause;
                try {
                    pause = closed ? Duration.ZERO : look();
                    waits = lastRejection.map(reason ->
                            new ModelWork.Wait(reason, parts.clock().instant().plus(pause)));
                } finally {
                    turn.unlock();
                }
                boolean woken = wake.tryAcquire(pause.toMillis(), TimeUnit.MILLISECONDS);
                LOG.debug("woken: {}", woken);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private Duration look() {
        Duration pause;
        try {
            wake.drainPermits();
            if (!recover()) {
                parts.report().run();
                return parts.pace().afterFailure(Duration.ZERO);
            }
            if (trust.isEmpty()) {
                trust = startTrust();
            }
            boolean whole = recovery.isDone(false);
            if (whole) {
                // Whatever the disk refused was done by now.
                lastRejection = lastRejection.filter(reason -> !Recovery.isOfDisk(reason));
            }
            if (!parts.fleet().connected()) {
                phase = new Phase.Offline();
                pause = OFFLINE_LOOK;
            } else if (trust.isPresent() && !step(trust.get())) {
                pause = parts.pace().afterFailure(parts.fleet().quiet());
            } else {
                pause = parts.pace().afterSuccess(parts.enrolment().again(authorities()));
            }
            if (!whole && pause.compareTo(UNFINISHED_LOOK) > 0) {
                pause = UNFINISHED_LOOK;
            }
            parts.report().run();
        } catch (IOException | TeeException e) {
            note(Recovery.reasonOf(e, Code.LNK_DOWN));
            pause = parts.pace().afterFailure(parts.fleet().quiet());
        } catch (RuntimeException e) {
            LOG.error("the update loop failed and goes on", e);
            pause = parts.pace().afterFailure(parts.fleet().quiet());
        }
        return pause;
    }

    private Optional<TrustClient> firstTrust() {
        try {
            return startTrust();
        } catch (IOException | TeeException e) {
            note(Recovery.reasonOf(e, Code.INS_STORAGE));
            return Optional.empty();
        }
    }

    private Optional<TrustClient> startTrust() throws IOException, TeeException {
        return switch (parts.trust().start()) {
            case Verdict.Rejected<TrustClient> rejected -> {
                note(rejected.reason());
                yield Optional.empty();
            }
            case Verdict.Accepted<TrustClient>(TrustClient client) -> {
                parts.measurements().authority(client.anchorKeyId());
                parts.floors().use(client);
                yield Optional.of(client);
            }
        };
    }

    private boolean recover() {
        if (recovery.isDone(state().phase() instanceof Phase.Installing)) {
            return true;
        }
        phase = new Phase.Recovering();
        return recovery.run();
    }

    /** One look at the fleet; true when nothing is left to do until the next hint. */
    private boolean step(TrustClient client) throws IOException, TeeException {
        parts.enrolment().connected();
        if (!enrolled && !enrol(client)) {
            return false;
        }
        if (parts.enrolment().isDue(authorities())) {
            parts.enrolment().run(authorities()).ifPresent(this::note);
        }
        if (parts.installer().isPaused()) {
            phase = new Phase.Paused();
            return true;
        }
        phase = new Phase.Refreshing();
        parts.report().run();
        Verdict<Order> order = client.order(parts.fleet().topics().device());
        parts.clock().raise(client.now());
        return switch (order) {
            case Verdict.Rejected<Order> rejected -> {
                note(rejected.reason());
                phase = new Phase.Idle();
                yield rejected.reason().code() == Code.LNK_REFUSED;
            }
            case Verdict.Accepted<Order>(Order accepted) -> carryOut(accepted);
        };
    }

    private boolean enrol(TrustClient client) throws IOException, TeeException {
        phase = new Phase.Enrolling();
        if (authorities().isEmpty() && client.refresh() instanceof Verdict.Rejected<?>(Rejection reason)) {
            LOG.info("before enrolment: {}", reason); // A newer root could name the authority for certificates.
        }
        Optional<Rejection> refused = parts.enrolment().run(authorities());
        refused.ifPresent(this::note);
        // Orders need no certificate. It is asked for again.
        enrolled = refused.isEmpty() || refused.get().code() == Code.ATT_CERTIFICATE;
        return enrolled;
    }

    /** Keys of the authorities for devices' certificates that the trusted root names. */
    private Set<Sha256> authorities() {
        authorities = trust.map(TrustClient::deviceAuthorities).orElse(Set.of());
        return authorities;
    }

    /** What is known of the device's certificate, for people. Waits for nobody. */
    ObjectNode certificate() {
        return parts.enrolment().status(authorities);
    }

    private boolean carryOut(Order order) throws IOException {
        phase = new Phase.Idle();
        Optional<Rejection> refused = parts.works().carryOut(order);
        refused.ifPresent(this::note);
        if (refused.isEmpty()) {
            lastRejection = Optional.empty();
        }
        return refused.isEmpty() || refused.get().code() == Code.UPD_INCOMPATIBLE;
    }

    private void note(Rejection reason) {
        if (!lastRejection.equals(Optional.of(reason))) {
            LOG.warn("{}", reason);
        }
        lastRejection = Optional.of(reason);
    }

    /** Goes back to the release before, because a person says so; see {@link Installer#rollback}. */
    InstallOutcome rollback(String model, String why) throws IOException {
        InstallOutcome outcome = parts.installer().rollback(model, why);
        parts.works().find(model).ifPresent(work -> work.noteOutcome(outcome));
        parts.report().run();
        return outcome;
    }

    void pause(boolean pausing, String why) throws IOException {
        if (pausing) {
            parts.installer().pause(why);
        } else {
            parts.installer().unpause(why);
        }
        wake();
    }

    /**
     * Installs from a bundle that a command holds open; {@code API-BUSY} while a model is being installed.
     *
     * @return how the install of each model ended, by name
     */
    Verdict<SortedMap<String, InstallOutcome>> install(SeekableBytes bundle) throws IOException {
        Optional<TrustClient> client = trust;
        if (client.isEmpty() || closed) {
            return Verdict.rejected(Code.API_BUSY, "the agent is " + phase.word());
        }
        if (state().phase() instanceof Phase.Installing || !takeTurn()) {
            return Verdict.rejected(Code.API_BUSY, "an install is under way");
        }
        Phase before = phase;
        try {
            // The look that held the turn may just have begun installs, which a bundle would have to wait for.
            if (state().phase() instanceof Phase.Installing) {
                return Verdict.rejected(Code.API_BUSY, "an install is under way");
            }
            phase = new Phase.Installing();
            parts.works().forget();
            Verdict<SortedMap<String, InstallOutcome>> outcomes =
                    OfflineInstall.run(bundle, parts.fleet().topics().device(), client.get(), parts.installer());
            if (outcomes instanceof Verdict.Rejected<SortedMap<String, InstallOutcome>>(Rejection reason)) {
                note(reason);
            }
            return outcomes;
        } finally {
            phase = before;
            parts.works().settleAgain();
            turn.unlock();
            wake();
        }
    }

    /** A look that finds nothing to do ends within a few answers of the fleet. */
    private boolean takeTurn() throws IOException {
        try {
            return turn.tryLock(LOOK_LIMIT.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    @Override
    public void close() {
        closed = true;
        parts.installer().stop();
        parts.works().close();
        wake();
        try {
            // Between two operations on the disk it ends by itself; only waiting for others needs the interrupt.
            if (!thread.join(STOP_LIMIT)) {
                thread.interrupt();
                thread.join(END_LIMIT);
            }
            // A bundle that is being installed ends at its next safe point: the installer was told to stop.
            if (turn.tryLock(END_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                turn.unlock();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
