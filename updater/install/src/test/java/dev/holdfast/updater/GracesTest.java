package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An older release answers to its pinned name for as long as an order says, and no longer. */
class GracesTest {
    private static final Instant START = Instant.parse("2027-01-02T03:04:05Z");
    private static final long UNTIL = START.plus(Duration.ofDays(7)).getEpochSecond();

    /** The device's trusted time. */
    private static final class Time extends Clock {
        private volatile Instant now = START;

        @Override
        public Instant instant() {
            return now;
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }
    }

    private final Time time = new Time();
    private final InstallWorld world;
    private final Slot first;
    private final Slot second;
    private final ModelOrder graceful;
    private Installer installer;

    GracesTest(@TempDir Path dir) throws IOException {
        world = new InstallWorld(dir);
        world.clock = time;
        first = TargetSlot.of(world.firstOrder.model());
        second = TargetSlot.of(world.secondOrder.model());
        graceful = InstallWorld.letting(world.secondOrder, UNTIL, world.firstOrder.model());
        installer = world.installer();
    }

    @BeforeEach
    void firstServes() throws Exception {
        installer.recover();
        assertThat(installer.install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        world.log.clear();
    }

    private void secondServes() throws IOException {
        assertThat(installer.install(graceful)).isInstanceOf(InstallOutcome.Committed.class);
    }

    private static Order order(ModelOrder... models) {
        return new Order("d", 9, Instant.MAX, Optional.of("intent"), List.of(models), Optional.empty());
    }

    private List<Slot> pointed() throws IOException {
        return world.pointer().grace().map(Pointer.Grace::slot).toList();
    }

    private Code unserved() {
        return installer.graces("intent").getFirst().unserved().orElseThrow().code();
    }

    @Test
    void theReleaseBeforeStaysLoadedAtTheSwapAndWasMeasuredForItFirst() throws Exception {
        List<Slot> loads = new ArrayList<>();
        world.prepared = loads::add;
        secondServes();
        assertThat(world.serving).containsEntry("intent", second);
        assertThat(world.graced).containsOnlyKeys(first.slotId());
        assertThat(loads).as("it is not loaded again").containsExactly(second);
        assertThat(world.log).startsWith("grace 1.0.0", "before " + second.digest());
        assertThat(world.pointer().grace()).containsExactly(new Pointer.Grace(first, UNTIL));
        assertThat(installer.graces("intent"))
                .containsExactly(new GracedRelease(first, Instant.ofEpochSecond(UNTIL), Optional.empty()));
    }

    @Test
    void itEndsAtItsTimeWithoutAnotherOrder() throws Exception {
        secondServes();
        assertThat(installer.tendGraces()).as("the next look").contains(START.plus(Graces.LOOKS));
        time.now = Instant.ofEpochSecond(UNTIL - 10);
        assertThat(installer.tendGraces()).as("the end itself").contains(Instant.ofEpochSecond(UNTIL));
        assertThat(world.graced).hasSize(1);
        time.now = Instant.ofEpochSecond(UNTIL);
        assertThat(installer.tendGraces()).isEmpty();
        assertThat(world.graced).isEmpty();
        assertThat(pointed()).isEmpty();
        assertThat(world.log).endsWith("grace of 1.0.0 ended");
        assertThat(installer.arrange(order(graceful))).isEmpty();
        assertThat(pointed()).as("the same order does not bring it back").isEmpty();
    }

    @Test
    void itEndsInTimeWhileAnInstallOfItsModelRuns() throws Exception {
        secondServes();
        CountDownLatch loading = new CountDownLatch(1);
        CountDownLatch open = new CountDownLatch(1);
        world.prepared = slot -> {
            loading.countDown();
            try {
                open.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        ModelOrder third = InstallWorld.letting(
                InstallWorld.order(3, world.target(RepositorySimulator.model(3), "3.0.0", 1), List.of()),
                UNTIL,
                world.firstOrder.model());
        CompletableFuture<InstallOutcome> install = CompletableFuture.supplyAsync(() -> {
            try {
                return installer.install(third);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        assertThat(loading.await(20, TimeUnit.SECONDS)).isTrue();
        time.now = Instant.ofEpochSecond(UNTIL);
        installer.tendGraces();
        assertThat(world.graced).isEmpty();
        open.countDown();
        assertThat(install.get(20, TimeUnit.SECONDS)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.graced).isEmpty();
    }

    @Test
    void itEndsWhenAnOrderNamesItNoMoreAndLastsLongerWhenOneSaysSo() throws Exception {
        secondServes();
        ModelOrder longer = InstallWorld.letting(world.secondOrder, UNTIL + 60, world.firstOrder.model());
        assertThat(installer.arrange(order(longer))).isEmpty();
        assertThat(world.stays).containsEntry(first.slotId(), UNTIL + 60);
        assertThat(world.graced).hasSize(1);
        assertThat(installer.arrange(order(world.secondOrder))).isEmpty();
        assertThat(world.graced).isEmpty();
        assertThat(world.measuredGraces).isEmpty();
        assertThat(pointed()).isEmpty();
    }

    @Test
    void whatIsOrderedToStayAfterTheSwapIsLoadedAgain() throws Exception {
        assertThat(installer.install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.graced).isEmpty();
        assertThat(installer.arrange(order(graceful))).isEmpty();
        installer.tendGraces();
        assertThat(world.graced).containsOnlyKeys(first.slotId());
    }

    @Test
    void itsFileIsKeptForAsLongAndNoLonger() throws Exception {
        secondServes();
        ModelOrder third = InstallWorld.letting(
                InstallWorld.order(3, world.target(RepositorySimulator.model(3), "3.0.0", 1), List.of()),
                UNTIL,
                world.firstOrder.model(),
                world.secondOrder.model());
        assertThat(installer.install(third)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.graced).containsOnlyKeys(first.slotId(), second.slotId());
        assertThat(world.pointer().fallback("intent")).contains(second);
        assertThat(world.store.has(first.digest()))
                .as("nothing but its grace needs it")
                .isTrue();
        time.now = Instant.ofEpochSecond(UNTIL);
        installer.tendGraces();
        assertThat(world.store.has(first.digest())).isFalse();
        assertThat(world.store.has(second.digest())).as("the fallback").isTrue();
    }

    @Test
    void aReleaseBelowTheEpochOfTheNextOneDoesNotStay() throws Exception {
        ModelOrder raised = InstallWorld.letting(
                InstallWorld.order(2, world.target(world.second, "2.0.0", 2), List.of()),
                UNTIL,
                world.firstOrder.model());
        assertThat(installer.install(raised)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.graced).isEmpty();
        assertThat(world.log).doesNotContain("grace 1.0.0");
        assertThat(unserved()).isEqualTo(Code.UPD_EPOCH);
    }

    @Test
    void aFloorThatRisesEndsIt() throws Exception {
        secondServes();
        world.floors.put("intent", 2L);
        installer.tendGraces();
        assertThat(world.graced).isEmpty();
        assertThat(pointed()).isEmpty();
    }

    @Test
    void nothingIsFetchedForIt() throws Exception {
        ModelTarget unknown = world.target(RepositorySimulator.model(7), "0.9.0", 1);
        assertThat(installer.arrange(order(InstallWorld.letting(world.firstOrder, UNTIL, unknown))))
                .isEmpty();
        int before = world.requests;
        installer.tendGraces();
        assertThat(world.requests).isEqualTo(before);
        assertThat(pointed()).isEmpty();
        assertThat(unserved()).isEqualTo(Code.INS_GRACE);
    }

    @Test
    void aReleaseThatWasRolledBackDoesNotStay() throws Exception {
        assertThat(installer.install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(installer.rollback("intent", "it was bad")).isInstanceOf(InstallOutcome.RolledBack.class);
        ModelOrder third = InstallWorld.letting(
                InstallWorld.order(3, world.target(RepositorySimulator.model(3), "3.0.0", 1), List.of()),
                UNTIL,
                world.secondOrder.model());
        assertThat(installer.install(third)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.graced).isEmpty();
        assertThat(unserved()).isEqualTo(Code.INS_GRACE);
    }

    @Test
    void theWayBackToItLoadsNothing() throws Exception {
        secondServes();
        world.prepared = slot -> {
            throw new AssertionError("loads " + slot);
        };
        assertThat(installer.rollback("intent", "")).isInstanceOf(InstallOutcome.RolledBack.class);
        assertThat(world.serving).containsEntry("intent", first);
        assertThat(world.graced).isEmpty();
        assertThat(pointed()).as("it still stays when another takes its place").containsExactly(first);
    }

    @Test
    void whereMemoryIsShortItIsToldAndTriedAgainOnceAMinute() throws Exception {
        secondServes();
        world.reboot();
        world.graced.clear();
        world.graceRefusal = Optional.of(new Rejection(Code.INS_MEMORY, "no room"));
        int[] loads = {0};
        world.prepared = slot -> loads[0]++;
        installer.tendGraces();
        installer.tendGraces();
        assertThat(loads[0]).isEqualTo(1);
        assertThat(unserved()).isEqualTo(Code.INS_MEMORY);
        world.graceRefusal = Optional.empty();
        time.now = START.plus(Graces.LOOKS);
        installer.tendGraces();
        assertThat(world.graced).hasSize(1);
        assertThat(installer.graces("intent").getFirst().unserved()).isEmpty();
    }

    @Test
    void whatTheTeeDoesNotMeasureDoesNotServe() throws Exception {
        world.teeGone = true;
        assertThat(installer.arrange(order(graceful))).isEmpty();
        assertThat(pointed()).isEmpty();
        assertThat(unserved()).isEqualTo(Code.TEE_UNAVAILABLE);
        world.teeGone = false;
        assertThat(installer.arrange(order(graceful))).isEmpty();
        assertThat(pointed()).containsExactly(first);
    }

    @Test
    void anEndThatTheTeeDoesNotMeasureIsMeasuredLater() throws Exception {
        secondServes();
        time.now = Instant.ofEpochSecond(UNTIL);
        world.teeGone = true;
        assertThat(installer.tendGraces()).as("something is left to do").isPresent();
        assertThat(world.graced).as("it does not serve for that").isEmpty();
        assertThat(world.measuredGraces).hasSize(1);
        world.teeGone = false;
        assertThat(installer.tendGraces()).isEmpty();
        assertThat(world.measuredGraces).isEmpty();
    }

    @Test
    void aProcessThatWasAwayIsToldOfTheEndLater() throws Exception {
        secondServes();
        time.now = Instant.ofEpochSecond(UNTIL);
        world.keepFails = true;
        assertThat(installer.tendGraces()).isPresent();
        assertThat(world.measuredGraces).as("it may serve still").hasSize(1);
        world.keepFails = false;
        assertThat(installer.tendGraces()).isEmpty();
        assertThat(world.graced).isEmpty();
        assertThat(world.measuredGraces).isEmpty();
    }

    @Test
    void anotherAgentGoesOnWithItAndEndsIt() throws Exception {
        secondServes();
        world.graced.clear();
        installer = world.installer();
        assertThat(installer.tendGraces())
                .as("not before the pointer was looked at")
                .isEmpty();
        assertThat(world.recover(installer).pending()).isEmpty();
        installer.tendGraces();
        assertThat(world.graced).hasSize(1);
        time.now = Instant.ofEpochSecond(UNTIL);
        installer = world.installer();
        world.recover(installer);
        assertThat(installer.tendGraces()).isEmpty();
        assertThat(world.graced).isEmpty();
        assertThat(world.measuredGraces).isEmpty();
    }

    /** The pointer alone says until when; the event log says that it stays, and the next order says the rest. */
    @Test
    void aPointerThatIsLostForgetsNoReleaseBeforeTheNextOrder() throws Exception {
        secondServes();
        Files.write(world.dir.resolve("store/serving.json"), new byte[] {'{'});
        installer = world.installer();
        assertThat(world.recover(installer).pending()).isEmpty();
        installer.tendGraces();
        assertThat(pointed()).containsExactly(first);
        assertThat(world.graced).containsOnlyKeys(first.slotId());
        assertThat(world.store.blob(first.digest())).exists();
        assertThat(installer.arrange(order(graceful))).isEmpty();
        assertThat(world.pointer().grace()).containsExactly(new Pointer.Grace(first, UNTIL));
    }

    @Test
    void aReleaseWhoseTimeIsLostStaysForADayWithoutAnOrder() throws Exception {
        secondServes();
        Files.delete(world.dir.resolve("store/serving.json"));
        installer = world.installer();
        world.recover(installer);
        time.now = START.plus(Duration.ofDays(1));
        installer.tendGraces();
        assertThat(world.measuredGraces).isEmpty();
        assertThat(pointed()).isEmpty();
    }

    @Test
    void aDamagedFileServesNoOneAfterAStart() throws Exception {
        secondServes();
        Files.write(world.store.blob(first.digest()), new byte[] {1});
        installer = world.installer();
        world.recover(installer);
        assertThat(pointed()).isEmpty();
        assertThat(world.pointed()).isEqualTo(second);
    }

    @Test
    void aFileFoundDamagedAtRestIsTakenOutBeforeItsRepairAndComesBack() throws Exception {
        secondServes();
        byte[] bytes = Files.readAllBytes(world.store.blob(first.digest()));
        bytes[5]++;
        Files.write(world.store.blob(first.digest()), bytes);
        StoreScrub.Pass pass = new StoreScrub(installer, 0)
                .run(START, slot -> slot.equals(first) ? Optional.of(world.firstOrder.model()) : Optional.empty());
        assertThat(pass.checked())
                .filteredOn(checked -> checked.slot().equals(first))
                .extracting(StoreScrub.Checked::finding)
                .containsExactly(StoreScrub.Finding.HEALED);
        assertThat(Sha256.ofFile(world.store.blob(first.digest()))).isEqualTo(first.digest());
        assertThat(world.graced).as("until the order brings it back").isEmpty();
        installer.arrange(order(graceful));
        installer.tendGraces();
        assertThat(world.graced).hasSize(1);
    }

    @Test
    void aModelThatIsRetiredTakesItsOlderReleasesAlong() throws Exception {
        secondServes();
        assertThat(installer.retire("intent", 5)).isEmpty();
        assertThat(world.graced).isEmpty();
        assertThat(world.measuredGraces).isEmpty();
        assertThat(installer.tendGraces()).isEmpty();
    }

    @Test
    void onlySixteenStayOnOneDevice() throws Exception {
        List<ModelTarget> older = new ArrayList<>();
        for (int i = 0; i <= ModelName.MAX_GRACED; i++) {
            ModelTarget release = world.target(RepositorySimulator.model(50 + i), "1.0." + i, 1);
            Slot slot = TargetSlot.of(release);
            Files.write(world.store.blob(slot.digest()), RepositorySimulator.model(50 + i));
            InstallJournal.open(world.store.journal(), dev.holdfast.storage.Disk.LOCAL)
                    .append(START, 1, InstallState.COMMITTED, slot, Optional.empty(), "", Optional.empty());
            older.add(release);
        }
        installer = world.installer();
        installer.recover();
        installer.arrange(order(InstallWorld.letting(world.firstOrder, UNTIL, older.toArray(ModelTarget[]::new))));
        assertThat(pointed()).hasSize(ModelName.MAX_GRACED);
        assertThat(installer.graces("intent").getLast().unserved().orElseThrow().code())
                .isEqualTo(Code.INS_GRACE);
    }
}
