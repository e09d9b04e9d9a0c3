package dev.holdfast.agent;

import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.bundle.SeekableBytes;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.Order;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.updater.Installer;
import dev.holdfast.updater.OfflineInstall;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at the fleet, carries out what it orders, and goes on with what was cut off: the thread {@code agent-work}. Started once,
 * closed once; hints, rollbacks, pauses and offline bundles may come from any thread.
 */
final class UpdateLoop implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(UpdateLoop.class);
    private static final Duration OFFLINE_LOOK = Duration.ofSeconds(1);
    private static final Duration LOOK_LIMIT = Duration.ofSeconds(60);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(2);
    private static final Duration END_LIMIT = Duration.ofSeconds(5);

    private final UpdateParts parts;
    private final Semaphore wake = new Semaphore(0);
    /** Whoever uses the trust client to change the device: the loop's look, or one offline bundle. */
    private final ReentrantLock turn = new ReentrantLock();

    private final Thread thread;
    private volatile Optional<TrustClient> trust = Optional.empty();
    private volatile Phase phase = new Phase.Starting();
    private volatile boolean enrolled;
    private volatile boolean closed;
    private volatile Optional<Rejection> lastRejection = Optional.empty();
    private Instant nextLook = Instant.MAX;

    UpdateLoop(UpdateParts parts) {
        this.parts = parts;
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
        String number = new String(payload, StandardCharsets.US_ASCII);
        if (number.matches("[0-9]{1,18}")) {
            parts.installer().announced(Long.parseLong(number));
        }
        wake();
    }

    AgentState state() {
        return new AgentState(phase, parts.fleet().connected(), enrolled, lastRejection);
    }

    /** Who knows what the fleet lists; nobody before the TEE has let the trust client start. */
    Optional<TrustClient> trust() {
        return trust;
    }

    private void work() {
        // Before the recovery, which measures what serves under the key that the trust client knows.
        Optional<TrustClient> first = firstTrust();
        recover();
        trust = first;
        while (!closed) {
            try {
                turn.lockInterruptibly();
                Duration pause;
                try {
                    pause = closed ? Duration.ZERO : look();
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
            nextLook = Instant.MAX;
            wake.drainPermits();
            if (trust.isEmpty()) {
                trust = startTrust();
            }
            if (!parts.fleet().connected()) {
                phase = new Phase.Offline();
                pause = OFFLINE_LOOK;
                finish();
            } else if (trust.isPresent() && !step(trust.get())) {
                pause = parts.pace().afterFailure(parts.fleet().quiet());
            } else {
                pause = parts.pace().afterSuccess(nextLook);
            }
            parts.report().run();
        } catch (IOException | TeeException e) {
            note(new Rejection(Code.LNK_DOWN, String.valueOf(e.getMessage())));
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
            LOG.warn("trust: {}", e.getMessage());
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
                yield Optional.of(client);
            }
        };
    }

    private void recover() {
        phase = new Phase.Recovering();
        try {
            Installer.Recovery recovery = parts.installer().recover();
            recovery.pending().ifPresent(this::note);
            recovery.journalDamage().ifPresent(this::note);
            Optional<Pointer> pointer = recovery.serving();
            if (pointer.isPresent()) {
                parts.log()
                        .ensureServing(parts.measurements().event(pointer.get().serving(), ModelEvent.Kind.SERVE));
            }
        } catch (IOException | TeeException e) {
            note(new Rejection(Code.INS_JOURNAL, String.valueOf(e.getMessage())));
        }
    }

    /** One look at the fleet; true when nothing is left to do until the next hint. */
    private boolean step(TrustClient client) throws IOException, TeeException {
        if (!enrolled && !enrol()) {
            return false;
        }
        if (parts.installer().isPaused()) {
            finish();
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
            case Verdict.Accepted<Order>(Order accepted) -> install(accepted);
        };
    }

    private boolean enrol() throws IOException, TeeException {
        phase = new Phase.Enrolling();
        Optional<Rejection> refused = parts.enrolment().run();
        refused.ifPresent(this::note);
        enrolled = refused.isEmpty();
        return enrolled;
    }

    private boolean install(Order order) throws IOException {
        phase = new Phase.Installing();
        InstallOutcome outcome = parts.installer().install(order);
        if (outcome instanceof InstallOutcome.Interrupted(var _, Rejection reason)
                && reason.code() == Code.INS_WAITING) {
            nextLook = order.rollout().next(order.device(), parts.clock().instant());
        }
        return ended(outcome);
    }

    /** What was measured already is brought to its end, whoever is away or paused. */
    private void finish() throws IOException {
        Optional<InstallOutcome> outcome = parts.installer().finishPending();
        outcome.ifPresent(this::ended);
    }

    private boolean ended(InstallOutcome outcome) {
        phase = new Phase.Idle();
        return switch (outcome) {
            case InstallOutcome.Committed(Slot slot) -> {
                LOG.info("committed {}", slot);
                lastRejection = Optional.empty();
                yield true;
            }
            case InstallOutcome.Unchanged(Slot _) -> {
                lastRejection = Optional.empty();
                yield true;
            }
            case InstallOutcome.RolledBack(Slot _, Rejection reason) -> noted(reason);
            case InstallOutcome.Failed(Rejection reason) -> reason.code() == Code.INS_FAILED_BEFORE || noted(reason);
            case InstallOutcome.Interrupted(var _, Rejection reason) -> interrupted(reason);
        };
    }

    private boolean interrupted(Rejection reason) {
        switch (reason.code()) {
            case INS_PAUSED -> phase = new Phase.Paused();
            case INS_WAITING -> phase = new Phase.Waiting();
            case INS_SUPERSEDED -> wake();
            default -> {
                note(reason);
                return false;
            }
        }
        return true;
    }

    private boolean noted(Rejection reason) {
        note(reason);
        return true;
    }

    private void note(Rejection reason) {
        if (!lastRejection.equals(Optional.of(reason))) {
            LOG.warn("{}", reason);
        }
        lastRejection = Optional.of(reason);
    }

    /** Goes back to the model before, because a person says so; see {@link Installer#rollback}. */
    InstallOutcome rollback(String why) throws IOException {
        InstallOutcome outcome = parts.installer().rollback(why);
        if (outcome instanceof InstallOutcome.RolledBack(Slot _, Rejection reason)) {
            note(reason);
        }
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

    /** Installs from a bundle that a command holds open; {@code API-BUSY} while the loop itself is at work. */
    Verdict<InstallOutcome> install(SeekableBytes bundle) throws IOException {
        Optional<TrustClient> client = trust;
        if (client.isEmpty() || closed) {
            return Verdict.rejected(Code.API_BUSY, "the agent is " + phase.word());
        }
        if (phase instanceof Phase.Installing || !takeTurn()) {
            return Verdict.rejected(Code.API_BUSY, "an install is under way");
        }
        Phase before = phase;
        phase = new Phase.Installing();
        try {
            Verdict<InstallOutcome> outcome =
                    OfflineInstall.run(bundle, parts.fleet().topics().device(), client.get(), parts.installer());
            if (outcome instanceof Verdict.Rejected<InstallOutcome>(Rejection reason)) {
                note(reason);
            }
            return outcome;
        } finally {
            phase = before;
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
