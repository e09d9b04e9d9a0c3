package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.holdfast.agent.pace.RefreshSchedule;
import dev.holdfast.control.Slot;
import dev.holdfast.link.LinkStatus;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.Topics;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Order;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.updater.InstallState;
import dev.holdfast.updater.Installs;
import dev.holdfast.updater.TargetSlot;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is wanted of each model is done, whatever the others are at; an installer by a script stands for those that take their time. */
class ModelWorksTest {
    private static final Instant NOW = Instant.parse("2026-11-24T12:00:00Z");
    private static final Sha256 DIGEST = Sha256.of("m".getBytes(StandardCharsets.US_ASCII));

    /** Installs by a script; what it was asked is on record. */
    private static final class Script implements Installs {
        final ConcurrentLinkedQueue<String> asked = new ConcurrentLinkedQueue<>();
        final Set<String> inUse = ConcurrentHashMap.newKeySet();
        final Semaphore supersedes = new Semaphore(0);
        volatile Function<ModelOrder, InstallOutcome> install =
                order -> new InstallOutcome.Committed(TargetSlot.of(order.model()));
        volatile Optional<Rejection> unsettled = Optional.empty();
        volatile Runnable whileSettling = () -> {};
        volatile Optional<Rejection> unretired = Optional.empty();

        @Override
        public SortedSet<String> inUse() {
            return new TreeSet<>(inUse);
        }

        @Override
        public Optional<Rejection> settle(String name) {
            asked.add("settle " + name);
            whileSettling.run();
            Optional<Rejection> now = unsettled;
            unsettled = Optional.empty();
            return now;
        }

        @Override
        public Optional<InstallOutcome> finishPending(String name) {
            return Optional.empty();
        }

        @Override
        public Optional<Rejection> arrange(Order order) {
            return order.leaseSeconds().isPresent()
                    ? Optional.of(new Rejection(Code.UPD_INCOMPATIBLE, "leases"))
                    : Optional.empty();
        }

        @Override
        public SortedSet<String> dropped(Order order) {
            SortedSet<String> names = inUse();
            order.models().forEach(model -> names.remove(model.model().model()));
            return names;
        }

        @Override
        public Optional<Rejection> retire(String name, long orderVersion) {
            asked.add("retire " + name);
            Optional<Rejection> now = unretired;
            unretired = Optional.empty();
            if (now.isEmpty()) {
                inUse.remove(name);
            }
            return now;
        }

        @Override
        public InstallOutcome install(ModelOrder order, BooleanSupplier wanted) {
            if (!wanted.getAsBoolean()) {
                return superseded();
            }
            asked.add("install " + order.model().model() + " " + order.version());
            return install.apply(order);
        }

        static InstallOutcome superseded() {
            return new InstallOutcome.Interrupted(
                    InstallState.DOWNLOADING, new Rejection(Code.INS_SUPERSEDED, "another order"));
        }

        @Override
        public void cancel(String name, Rejection why) {
            asked.add("cancel " + name);
        }

        @Override
        public void supersede(String name, long orderVersion) {
            asked.add("supersede " + name + " " + orderVersion);
            supersedes.release();
        }
    }

    private final Script script = new Script();
    private final FleetClient fleet = new FleetClient(new Topics("f", "d"));
    private volatile boolean connected = true;
    private volatile boolean reportFails;
    private final ModelWorks works = new ModelWorks(new ModelWork.Parts(
            script, fleet, Clock.systemUTC(), () -> new RefreshSchedule(Duration.ofSeconds(1), new Random(1)), () -> {
                if (reportFails) {
                    throw new IllegalStateException("a report that cannot be made");
                }
            }));

    ModelWorksTest() {
        fleet.use(new MqttLink() {
            @Override
            public void publish(String topic, byte[] payload, boolean retained) {}

            @Override
            public LinkStatus status() {
                return new LinkStatus(connected, Optional.empty(), Optional.empty(), 0, 0, Optional.empty());
            }

            @Override
            public void close() {}
        });
    }

    @AfterEach
    void close() {
        works.close();
    }

    private static ModelOrder model(String name, long version) {
        ModelTarget target = new ModelTarget(
                new TargetFile("models/" + name + "/1/model.gguf", 10, DIGEST, Json.object()),
                new BlockTree(4096, DIGEST),
                name,
                "1." + version,
                version,
                1,
                Json.object(),
                Json.object(),
                "0.1.0",
                0,
                List.of());
        return new ModelOrder(
                "d", version, target, List.of(), new ModelTerms(target.file().path(), false, Optional.empty()));
    }

    private static Order order(long version, Instant expires, ModelOrder... models) {
        return new Order("d", version, expires, Optional.empty(), List.of(models), Optional.empty());
    }

    private void carryOut(ModelOrder... models) throws Exception {
        assertThat(works.carryOut(order(1, Instant.MAX, models))).isEmpty();
    }

    private void awaitAsked(String what) {
        await().until(() -> script.asked.contains(what));
    }

    private ModelWork.State state(String name) {
        return works.find(name).orElseThrow().state();
    }

    @Test
    void eachModelOfAnOrderIsInstalled() throws Exception {
        carryOut(model("a", 1), model("b", 1));
        awaitAsked("install a 1");
        awaitAsked("install b 1");
    }

    @Test
    void aModelThatIsStuckHoldsUpNoOther() throws Exception {
        CountDownLatch free = new CountDownLatch(1);
        script.install = order -> {
            if (order.model().model().equals("a")) {
                reach(free);
            }
            return new InstallOutcome.Committed(TargetSlot.of(order.model()));
        };
        carryOut(model("a", 1), model("b", 1));
        awaitAsked("install a 1");
        awaitAsked("install b 1");
        carryOut(model("a", 1), model("b", 2));
        awaitAsked("install b 2");
        assertThat(state("a").phase()).isInstanceOf(Phase.Installing.class);
        free.countDown();
        await().until(() -> state("a").phase() instanceof Phase.Idle);
    }

    private static void reach(CountDownLatch latch) {
        try {
            assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The install for the older order is put off, and the newer one follows at once, not after a pause. */
    @Test
    void aNewerWishTakesThePlaceOfARunningOne() throws Exception {
        script.install = order -> {
            if (order.version() == 1) {
                script.supersedes.acquireUninterruptibly();
                return Script.superseded();
            }
            return new InstallOutcome.Committed(TargetSlot.of(order.model()));
        };
        carryOut(model("a", 1));
        awaitAsked("install a 1");
        carryOut(model("a", 2));
        awaitAsked("install a 2");
        await().until(() -> state("a").lastRejection().isEmpty());
    }

    @Test
    void theSameWishAgainPutsNothingOff() throws Exception {
        carryOut(model("a", 1));
        awaitAsked("install a 1");
        carryOut(model("a", 1));
        await().until(() -> script.asked.stream().filter("install a 1"::equals).count() > 1);
        assertThat(script.asked).noneMatch(asked -> asked.startsWith("supersede"));
    }

    @Test
    void whatAnOrderDropsIsRetiredUntilItIsDone() throws Exception {
        script.inUse.add("a");
        script.unretired = Optional.of(new Rejection(Code.INS_CANDIDATE_LOST, "no answer"));
        carryOut(model("b", 1));
        awaitAsked("cancel a");
        await().until(() -> script.asked.stream().filter("retire a"::equals).count() == 2);
        await().until(() -> state("a").lastRejection().isEmpty());
    }

    @Test
    void whatIsWaitedForIsToldWithTheTimeAndGoneOnWithByItself() throws Exception {
        script.install = order -> new InstallOutcome.Interrupted(
                InstallState.ANNOUNCED, new Rejection(Code.INS_DISK, "10 bytes are needed, 3 are free"));
        carryOut(model("a", 1));
        await().until(() -> state("a").waits().isPresent());
        ModelWork.Wait wait = state("a").waits().orElseThrow();
        assertThat(wait.reason().code()).isEqualTo(Code.INS_DISK);
        assertThat(wait.until()).isBefore(Instant.now().plus(Duration.ofMinutes(5)));
        script.install = order -> new InstallOutcome.Committed(TargetSlot.of(order.model()));
        // Nobody orders it again, and nothing is restarted.
        await().until(() -> state("a").waits().isEmpty());
        await().until(() -> state("a").lastRejection().isEmpty());
    }

    @Test
    void whatWaitsForATimeThatIsKnownSaysThatTime() throws Exception {
        Instant tomorrow = Instant.now().plus(Duration.ofDays(1));
        script.install = order -> new InstallOutcome.Interrupted(
                InstallState.DOWNLOADING, new Rejection(Code.INS_METERED, "the day's bytes"), Optional.of(tomorrow));
        carryOut(model("a", 1));
        await().until(() -> state("a").waits().map(ModelWork.Wait::until).equals(Optional.of(tomorrow)));
        assertThat(state("a").phase()).isInstanceOf(Phase.Waiting.class);
    }

    @Test
    void anErrorInTheWorkOnAModelIsToldAndTheWorkGoesOn() throws Exception {
        script.install = order -> {
            if (order.version() == 1) {
                throw new AssertionError("a bug");
            }
            return new InstallOutcome.Committed(TargetSlot.of(order.model()));
        };
        carryOut(model("a", 1));
        await().until(() -> state("a")
                .lastRejection()
                .filter(why -> why.reason().code() == Code.INS_INTERNAL
                        && why.reason().detail().contains("a bug"))
                .isPresent());
        carryOut(model("a", 2));
        awaitAsked("install a 2");
        await().until(() -> state("a").lastRejection().isEmpty());
    }

    /** A model that failed and never served leaves nothing behind once no order names it. */
    @Test
    void aModelThatNobodyWantsAnyMoreIsNotToldOf() throws Exception {
        script.install = order -> new InstallOutcome.Failed(new Rejection(Code.INS_MEMORY, "too large"));
        carryOut(model("a", 1));
        await().until(() -> state("a").lastRejection().isPresent());
        carryOut();
        assertThat(state("a").lastRejection()).isEmpty();
        long asked = script.asked.stream().filter("install a 1"::equals).count();
        works.find("a").orElseThrow().settleAgain();
        await().until(() -> script.asked.stream().filter("settle a"::equals).count() > 1);
        assertThat(script.asked.stream().filter("install a 1"::equals).count()).isEqualTo(asked);
    }

    /** It has left no trace in the store yet, so nothing would retire it. */
    @Test
    void aModelThatIsDroppedAsItBeginsIsCalledOff() throws Exception {
        CountDownLatch free = new CountDownLatch(1);
        script.install = order -> {
            reach(free);
            return Script.superseded();
        };
        carryOut(model("a", 1));
        awaitAsked("install a 1");
        carryOut();
        assertThat(script.asked).contains("cancel a");
        free.countDown();
        await().until(() -> state("a").phase() instanceof Phase.Idle);
        assertThat(state("a").lastRejection()).isEmpty();
    }

    @Test
    void nothingBeginsWithoutALinkOrAfterTheEndOfAnOrder() throws Exception {
        connected = false;
        carryOut(model("a", 1));
        awaitAsked("settle a");
        connected = true;
        assertThat(works.carryOut(order(1, NOW, model("b", 1)))).isEmpty();
        awaitAsked("settle b");
        assertThat(script.asked).noneMatch(asked -> asked.startsWith("install"));
    }

    @Test
    void whatCouldNotBeSettledIsTriedAgain() {
        script.inUse.add("a");
        script.unsettled = Optional.of(new Rejection(Code.TEE_UNAVAILABLE, "away"));
        works.start();
        await().until(() -> script.asked.stream().filter("settle a"::equals).count() == 2);
    }

    /** The call comes while the parts are being made to agree: it may have come too late for that time, so another follows. */
    @Test
    void whoAsksForItWhileItIsSettledIsHeard() {
        script.inUse.add("a");
        script.whileSettling = () -> {
            script.whileSettling = () -> {};
            works.find("a").orElseThrow().settleAgain();
        };
        works.start();
        await().until(() -> script.asked.stream().filter("settle a"::equals).count() == 2);
    }

    @Test
    void aRollbackIsSettledOnceMore() throws Exception {
        Slot slot = TargetSlot.of(model("a", 1).model());
        script.install =
                order -> new InstallOutcome.RolledBack(slot, new Rejection(Code.INS_PROBATION, "was restarted"));
        carryOut(model("a", 1));
        await().until(() -> script.asked.stream().filter("settle a"::equals).count() == 2);
        assertThat(state("a").lastRejection())
                .map(refused -> refused.reason().code())
                .contains(Code.INS_PROBATION);
    }

    @Test
    void aReportThatCannotBeMadeEndsNoWork() throws Exception {
        reportFails = true;
        carryOut(model("a", 1));
        awaitAsked("settle a");
        reportFails = false;
        carryOut(model("a", 2));
        awaitAsked("install a 2");
    }

    @Test
    void anOrderThatThisAgentDoesNotKnowTheMeaningOfIsNotCarriedOut() throws Exception {
        Order leased = new Order("d", 1, Instant.MAX, Optional.empty(), List.of(model("a", 1)), Optional.of(60L));
        assertThat(works.carryOut(leased)).map(Rejection::code).contains(Code.UPD_INCOMPATIBLE);
        assertThat(works.states()).isEmpty();
    }
}
