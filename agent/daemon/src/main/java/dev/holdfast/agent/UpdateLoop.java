package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.agent.pace.Alarm;
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
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.SortedMap;
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
    /** Between two looks that hints ask for: whoever may publish can send as many as he likes. */
    static final Duration HINTED_LOOKS = Duration.ofSeconds(5);

    private static final Duration LOOK_LIMIT = Duration.ofSeconds(60);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(2);
    private static final Duration END_LIMIT = Duration.ofSeconds(5);

    private final UpdateParts parts;
    private final Alarm alarm;
    private final Recovery recovery;
    private final TrustStart starting;
    private final Thread thread;
    private volatile Optional<TrustClient> trust = Optional.empty();
    private volatile Phase phase = new Phase.Starting();
    private volatile boolean enrolled;
    private boolean looked;
    private boolean brokerWasLost;
    private volatile boolean closed;
    private volatile Optional<AgentState.Refused> lastRejection = Optional.empty();
    private volatile Optional<ModelWork.Wait> waits = Optional.empty();
    private volatile Optional<Instant> lastLook = Optional.empty();
    /** Whoever uses the trust client to change the device: the loop's look, or one offline bundle. */
    private final ReentrantLock turn = new ReentrantLock();

    UpdateLoop(UpdateParts parts) {
        this.parts = parts;
        this.alarm = new Alarm(InstantSource.system(), System::nanoTime, parts.pulse()::beat);
        this.recovery = new Recovery(parts, this::note);
        this.starting = new TrustStart(parts, this::note);
        this.thread = Thread.ofPlatform().name("agent-work").daemon().unstarted(this::work);
    }

    void start() {
        thread.start();
    }

    void wake() {
        alarm.wake();
    }

    void hinted(byte[] payload) {
        alarm.hint(payload);
    }

    /** Some messages were lost on the way, and a hint may have been among them. */
    void missed() {
        alarm.hint();
    }

    AgentState state() {
        SortedMap<String, ModelWork.State> models = parts.works().states();
        Optional<AgentState.Refused> last = lastRejection.or(() -> models.values().stream()
                .flatMap(model -> model.lastRejection().stream())
                .findFirst());
        Optional<ModelWork.Wait> refused = waits.or(() -> models.values().stream()
                .flatMap(model -> model.waits().stream())
                .findFirst());
        return new AgentState(
                Phase.of(phase, models.values()),
                parts.fleet().connected(),
                enrolled,
                last,
                refused,
                models,
                alarm.waiting(),
                lastLook,
                parts.fleet().linkStatus());
    }

    /** Who knows what the fleet lists; nobody before the TEE has let the trust client start. */
    Optional<TrustClient> trust() {
        return trust;
    }

    private void work() {
        parts.pulse().beat();
        // Before the recovery, which measures what serves under the key that the trust client knows.
        Optional<TrustClient> first = starting.first();
        recover();
        trust = first;
        while (!closed) {
            try {
                while (!turn.tryLock(LOOK_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                    parts.pulse().beat();
                }
                Alarm.Pause pause;
                try {
                    pause = closed ? Alarm.Pause.of(Duration.ZERO, "the end") : look();
                    Instant until = parts.clock().instant().plus(pause.length());
                    waits = lastRejection.map(refused -> new ModelWork.Wait(refused.reason(), until));
                } finally {
                    turn.unlock();
                }
                alarm.await(pause);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private Alarm.Pause look() {
        Alarm.Pause pause;
        try {
            alarm.begin();
            if (!recover()) {
                return afterFailure();
            }
            if (trust.isEmpty()) {
                trust = starting.again();
            }
            boolean whole = recovery.isDone(false);
            if (whole) {
                // Whatever the disk refused was done by now.
                lastRejection = lastRejection.filter(refused -> !Recovery.isOfDisk(refused.reason()));
            }
            pause = !parts.fleet().connected() ? offline() : brokerWasLost ? spread() : online();
            if (!whole && pause.length().compareTo(UNFINISHED_LOOK) > 0) {
                pause = Alarm.Pause.of(UNFINISHED_LOOK, "what of the start is left to do");
            }
            parts.report().run();
        } catch (IOException | TeeException e) {
            note(Faults.reasonOf(e));
            pause = afterFailure();
        } catch (RuntimeException e) {
            LOG.error("the update loop failed and goes on", e);
            note(new Rejection(Code.INS_INTERNAL, e.toString()));
            pause = afterFailure();
        }
        return pause;
    }

    private Alarm.Pause offline() {
        phase = new Phase.Offline();
        brokerWasLost = looked;
        // Without a trust client each look asks the TEE, which may be slow, and others wait for it.
        return trust.isEmpty() ? afterFailure() : Alarm.Pause.of(OFFLINE_LOOK, "the broker");
    }

    private Alarm.Pause spread() {
        brokerWasLost = false;
        phase = new Phase.Idle();
        return Alarm.Pause.of(parts.pace().afterOutage(), "its turn among the devices that are back");
    }

    private Alarm.Pause online() throws IOException, TeeException {
        boolean done = trust.isPresent() && step(trust.get());
        looked = true;
        if (!done) {
            return parts.enrolment().waiting().orElseGet(this::afterFailure);
        }
        boolean paused = phase instanceof Phase.Paused;
        lastLook = paused ? lastLook : Optional.of(parts.clock().instant());
        Duration refresh = parts.pace().afterSuccess(parts.enrolment().again());
        return Alarm.Pause.of(refresh, paused ? "holdfast resume" : "the next look at the fleet")
                .endedByHintsAfter(HINTED_LOOKS);
    }

    private Alarm.Pause afterFailure() {
        Duration asked = parts.fleet().quiet();
        return Alarm.Pause.of(
                parts.pace().afterFailure(asked),
                asked.isZero() ? "the next attempt" : "the end of a pause that the fleet service asked for");
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
        parts.enrolment().renew(client).ifPresent(this::note);
        if (parts.installer().isPaused()) {
            phase = new Phase.Paused();
            return true;
        }
        phase = new Phase.Refreshing();
        parts.report().run();
        Verdict<Order> order = client.order(parts.fleet().topics().device());
        parts.clock().raise(client.now());
        parts.installer().leaveWithdrawn().ifPresent(this::note);
        return switch (order) {
            case Verdict.Rejected<Order> rejected -> {
                note(rejected.reason());
                phase = new Phase.Idle();
                if (rejected.reason().code() == Code.ATT_NOT_ENROLLED) {
                    // The fleet forgot this device, or somebody says so: it enrols with the next attempt.
                    enrolled = false;
                }
                yield rejected.reason().code() == Code.UPD_NO_ORDER;
            }
            case Verdict.Accepted<Order>(Order accepted) -> carryOut(accepted);
        };
    }

    private boolean enrol(TrustClient client) throws IOException, TeeException {
        phase = new Phase.Enrolling();
        Optional<Rejection> refused = parts.enrolment().first(client);
        refused.ifPresent(this::note);
        phase = parts.enrolment().phase();
        // Orders need no certificate. It is asked for again.
        enrolled = refused.isEmpty() || refused.get().code() == Code.ATT_CERTIFICATE;
        return enrolled;
    }

    /** How the device stands with its fleet, and its certificate, for people. Waits for nobody. */
    ObjectNode standing() {
        return parts.enrolment().status(enrolled);
    }

    private boolean carryOut(Order order) throws IOException {
        phase = new Phase.Idle();
        Optional<Rejection> refused = parts.works().carryOut(order);
        refused.ifPresent(this::note);
        lastRejection = refused.isEmpty() ? Optional.empty() : lastRejection;
        return refused.isEmpty() || refused.get().code() == Code.UPD_INCOMPATIBLE;
    }

    private void note(Rejection reason) {
        if (!lastRejection.map(AgentState.Refused::reason).equals(Optional.of(reason))) {
            LOG.warn("{}", reason);
        }
        lastRejection = Optional.of(AgentState.Refused.now(reason));
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
