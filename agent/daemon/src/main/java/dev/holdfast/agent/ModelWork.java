package dev.holdfast.agent;

import dev.holdfast.agent.pace.Alarm;
import dev.holdfast.agent.pace.RefreshSchedule;
import dev.holdfast.control.Slot;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.updater.InstallState;
import dev.holdfast.updater.Installs;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Subject;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings one model to what was ordered of it, whatever becomes of the others: the thread {@code agent-model-NAME}. Started once,
 * closed once; wishes may come from any thread.
 */
final class ModelWork implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ModelWork.class);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(2);
    private static final Duration END_LIMIT = Duration.ofSeconds(5);

    /**
     * What the work of all models shares.
     *
     * @param clock for windows and the end of an order
     * @param pauses made for each model
     * @param report told whenever the state changed
     */
    record Parts(
            Installs installer, FleetClient fleet, Clock clock, Supplier<RefreshSchedule> pauses, Runnable report) {}

    /** What an order says of the model. */
    sealed interface Wish {
        /** It shall serve. {@code expires}: nothing new begins after the end of the order. */
        record Serve(ModelOrder order, Instant expires) implements Wish {}

        /** It shall serve no more. */
        record Retire(long order) implements Wish {}
    }

    /**
     * What only this work knows of the model, at a moment.
     *
     * @param lastRejection what was refused last, until something succeeds
     * @param waits what it waits for, where it goes on by itself
     */
    record State(Phase phase, Optional<AgentState.Refused> lastRejection, Optional<Wait> waits) {}

    /** What somebody waits for, and until when he looks again. */
    record Wait(Rejection reason, Instant until) {}

    private final String model;
    private final Parts parts;
    private final RefreshSchedule pauses;
    private final Alarm alarm = new Alarm(InstantSource.system());
    private final Thread thread;
    private volatile Optional<Wish> wish = Optional.empty();
    private volatile Phase phase = new Phase.Starting();
    private volatile Optional<AgentState.Refused> lastRejection = Optional.empty();
    private volatile Optional<Wait> waits = Optional.empty();
    /** Why the last install was interrupted, and when it can go on where that is known; for the work alone. */
    private Optional<Rejection> interruption = Optional.empty();

    private Optional<Instant> resumes = Optional.empty();
    private volatile boolean settled;
    private volatile boolean closed;

    ModelWork(String model, Parts parts) {
        this.model = model;
        this.parts = parts;
        this.pauses = parts.pauses().get();
        this.thread = Thread.ofPlatform().name("agent-model-" + model).daemon().unstarted(this::work);
    }

    void start() {
        thread.start();
    }

    State state() {
        return new State(phase, lastRejection, waits);
    }

    /** Says what is wanted of the model now. What runs for another wish makes place. */
    void want(Wish next) {
        Optional<Wish> before = wish;
        wish = Optional.of(next);
        switch (next) {
            case Wish.Retire(long order) ->
                parts.installer()
                        .cancel(
                                model,
                                new Rejection(Code.INS_SUPERSEDED, "order " + order + " names the model no more"));
            case Wish.Serve(ModelOrder order, Instant _) -> {
                if (before.filter(last -> !sameAs(order, last)).isPresent()) {
                    parts.installer().supersede(model, order.version());
                }
            }
        }
        alarm.wake();
    }

    private static boolean sameAs(ModelOrder order, Wish last) {
        return last instanceof Wish.Serve(ModelOrder known, Instant _)
                && known.version() == order.version()
                && known.model().equals(order.model())
                && known.terms().equals(order.terms());
    }

    /** Forgets what was wanted: a person at the device brought another order. */
    void forget() {
        wish = Optional.empty();
    }

    /** Nothing is wanted of the model, and nothing is left of it; an install that is only just beginning ends. */
    void drop() {
        if (wish.isPresent()) {
            wish = Optional.empty();
            parts.installer().cancel(model, new Rejection(Code.INS_SUPERSEDED, "no order names the model any more"));
        }
        lastRejection = Optional.empty();
        waits = Optional.empty();
    }

    private void work() {
        while (!closed) {
            Duration pause;
            try {
                alarm.begin();
                pause = look();
                parts.report().run();
            } catch (IOException e) {
                // Nothing of the network comes this way: a disk that is full, or fails otherwise.
                note(Faults.reasonOf(e));
                pause = waiting(afterFailure());
            } catch (RuntimeException | AssertionError | LinkageError | StackOverflowError e) {
                // One model's failure holds up no other. What leaves the whole process in doubt, such as no memory,
                // ends it.
                LOG.error("the work for {} failed and goes on", Subject.model(model), e);
                note(new Rejection(Code.INS_INTERNAL, e.toString()));
                phase = new Phase.Idle();
                pause = waiting(afterFailure());
            }
            try {
                alarm.await(Alarm.Pause.of(pause, lastRejection.isPresent() ? "the next attempt" : "the next look"));
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private Duration afterFailure() {
        return pauses.afterFailure(parts.fleet().quiet());
    }

    /** Says until when it waits for what was refused last. */
    private Duration waiting(Duration pause) {
        waits = lastRejection.map(
                refused -> new Wait(refused.reason(), parts.clock().instant().plus(pause)));
        return pause;
    }

    private Duration look() throws IOException {
        interruption = Optional.empty();
        resumes = Optional.empty();
        if (!settled) {
            phase = new Phase.Recovering();
            settle();
        }
        Optional<InstallOutcome> pending = parts.installer().finishPending(model);
        boolean done = pending.isEmpty() || ended(pending.get()).isEmpty();
        Optional<Instant> again = done ? carryOut() : Optional.of(Instant.MIN);
        if (phase instanceof Phase.Recovering) {
            phase = new Phase.Idle();
        }
        if (again.equals(Optional.of(Instant.MIN)) || !settled) {
            return waiting(afterFailure());
        }
        waits = again.flatMap(until -> interruption.map(reason -> new Wait(reason, until)));
        // A step of the clock ends the pause, which is for a moment that was signed.
        return pauses.afterSuccess(
                again.map(until -> Duration.between(parts.clock().instant(), until)));
    }

    /** Whoever asks for it again meanwhile is heard: the mark is set before the work, and only taken back after it. */
    private void settle() throws IOException {
        settled = true;
        boolean done = false;
        try {
            Optional<Rejection> pending = parts.installer().settle(model);
            pending.ifPresent(this::note);
            done = pending.isEmpty();
        } finally {
            if (!done) {
                settled = false;
            }
        }
    }

    /** Empty where nothing is left to do, else when to go on; {@link Instant#MIN} after a failure. */
    private Optional<Instant> carryOut() throws IOException {
        while (true) {
            Optional<Wish> wanted = wish;
            if (wanted.isEmpty()) {
                return Optional.empty();
            }
            switch (wanted.get()) {
                case Wish.Retire(long order) -> {
                    return retire(order);
                }
                case Wish.Serve(ModelOrder order, Instant expires) -> {
                    if (!parts.fleet().connected() || parts.clock().instant().isAfter(expires)) {
                        // The loop brings the order again as soon as it hears of it.
                        return Optional.empty();
                    }
                    Optional<Rejection> interrupted = serve(order, () -> wish.equals(wanted));
                    if (interrupted.isEmpty()) {
                        return Optional.empty();
                    }
                    if (interrupted.get().code() != Code.INS_SUPERSEDED || wish.equals(wanted)) {
                        return resumes.or(() -> Optional.of(Instant.MIN));
                    }
                }
            }
        }
    }

    private Optional<Rejection> serve(ModelOrder order, BooleanSupplier wanted) throws IOException {
        phase = new Phase.Installing();
        parts.report().run();
        return ended(parts.installer().install(order, wanted));
    }

    private Optional<Instant> retire(long order) throws IOException {
        phase = new Phase.Installing();
        Optional<Rejection> untold = parts.installer().retire(model, order);
        phase = new Phase.Idle();
        if (untold.isPresent()) {
            note(untold.get());
            return Optional.of(Instant.MIN);
        }
        lastRejection = Optional.empty();
        return Optional.empty();
    }

    /** Why it is to be tried again; empty where it is over, or where somebody wakes us when it is time. */
    private Optional<Rejection> ended(InstallOutcome outcome) {
        phase = new Phase.Idle();
        switch (outcome) {
            case InstallOutcome.Committed(Slot slot) -> {
                LOG.info("committed {}", slot);
                lastRejection = Optional.empty();
            }
            case InstallOutcome.Unchanged(Slot _) -> lastRejection = Optional.empty();
            case InstallOutcome.RolledBack(Slot _, Rejection reason) -> {
                note(reason);
                settled = false;
            }
            case InstallOutcome.Failed(Rejection reason) -> {
                if (reason.code() != Code.INS_FAILED_BEFORE) {
                    note(reason);
                }
            }
            case InstallOutcome.Interrupted(var state, Rejection reason, Optional<Instant> until) -> {
                interruption = Optional.of(reason);
                resumes = until;
                settled &= state.compareTo(InstallState.MEASURED) < 0;
                return interrupted(reason);
            }
        }
        return Optional.empty();
    }

    private Optional<Rejection> interrupted(Rejection reason) {
        return switch (reason.code()) {
            case INS_PAUSED -> {
                phase = new Phase.Paused();
                yield Optional.empty();
            }
            case INS_WAITING -> {
                phase = new Phase.Waiting();
                yield Optional.of(reason);
            }
            case INS_METERED, INS_DISK -> {
                phase = new Phase.Waiting();
                note(reason);
                yield Optional.of(reason);
            }
            case INS_SUPERSEDED -> Optional.of(reason);
            default -> {
                note(reason);
                yield Optional.of(reason);
            }
        };
    }

    private void note(Rejection reason) {
        if (!lastRejection.map(AgentState.Refused::reason).equals(Optional.of(reason))) {
            LOG.warn("{}: {}", Subject.model(model), reason);
        }
        lastRejection = Optional.of(AgentState.Refused.now(reason));
    }

    /** Says what an operation that others asked for came to; what it left to do is done here. */
    void noteOutcome(InstallOutcome outcome) {
        if (outcome instanceof InstallOutcome.RolledBack(Slot _, Rejection reason)) {
            note(reason);
        }
        settleAgain();
    }

    /** Has what waits tried again. */
    void wake() {
        alarm.wake();
    }

    /** Makes the model's parts agree once more, as after a start. */
    void settleAgain() {
        settled = false;
        alarm.wake();
    }

    /** The installer must have been told to stop. */
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
