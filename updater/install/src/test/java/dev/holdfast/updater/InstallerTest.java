package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.Slot;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InstallerTest {
    private final InstallWorld world;

    InstallerTest(@TempDir Path early) throws IOException {
        world = new InstallWorld(early);
    }

    @BeforeEach
    void installTheFirstModel() throws Exception {
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        world.log.clear();
        world.requests = 0;
    }

    private static void assertFailed(InstallOutcome outcome, Code code) {
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        InstallOutcome.Failed.class,
                        f -> assertThat(f.reason().code()).isEqualTo(code));
    }

    private static void assertInterrupted(InstallOutcome outcome, Code code) {
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        InstallOutcome.Interrupted.class,
                        cut -> assertThat(cut.reason().code()).isEqualTo(code));
    }

    private void assertServes(byte[] model) throws IOException {
        Slot serving = world.pointed();
        assertThat(serving.digest()).isEqualTo(Sha256.of(model));
        assertThat(world.serving()).contains(Sha256.of(model));
        assertThat(world.store.verifies(serving)).isTrue();
    }

    private List<InstallState> states() throws IOException {
        return world.installer().history().stream()
                .filter(r -> r.orderVersion() == 2)
                .map(InstallRecord::state)
                .toList();
    }

    @Test
    void installsByDeltaAndKeepsTheOldModelAtHand() throws Exception {
        Installer installer = world.installer();
        assertThat(installer.install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertServes(world.second);
        assertThat(world.pointer().fallback("intent").orElseThrow().version()).isEqualTo("1.0.0");
        assertThat(states())
                .containsExactly(
                        InstallState.ANNOUNCED,
                        InstallState.PLANNED,
                        InstallState.DOWNLOADING,
                        InstallState.PATCH_VERIFIED,
                        InstallState.RECONSTRUCTING,
                        InstallState.VERIFIED,
                        InstallState.STAGED,
                        InstallState.CANDIDATE,
                        InstallState.MEASURED,
                        InstallState.PROBATION,
                        InstallState.COMMITTED);
        assertThat(world.log).containsExactly("before " + Sha256.of(world.second), "after");
        assertThat(world.floor()).isEqualTo(1);
        assertThat(installer.progress("intent").orElseThrow().bytesReceived()).isLessThan(world.second.length);
    }

    @Test
    void leavesAServingModelAlone() throws Exception {
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Unchanged.class);
        assertThat(world.requests).isZero();
    }

    @Test
    void oneRestartOfTheProcessOnProbationIsOutlived() throws Exception {
        world.observer = record -> {
            if (record.state() == InstallState.PROBATION) {
                world.startedAt++;
                world.observer = later -> {};
            }
        };
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void aProcessThatIsBusyOnProbationIsNoFaultOfTheModel() throws Exception {
        int[] asked = {0};
        InferenceControl busy = world.withStatus(() -> ++asked[0] % 3 == 2);
        assertThat(world.installer(busy).install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(asked[0]).isGreaterThan(3);
    }

    @Test
    void rollsBackAndKeepsTheReasonWhenTheProcessRestartsOnEachProbation() throws Exception {
        world.restartOnProbation = true;
        assertThat(world.installer().install(world.secondOrder))
                .isInstanceOfSatisfying(
                        InstallOutcome.RolledBack.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.INS_PROBATION));
        assertServes(world.first);
        assertThat(world.installer().history().getLast().reason().orElseThrow().code())
                .isEqualTo(Code.INS_PROBATION);
        assertThat(world.log)
                .containsExactly(
                        "before " + Sha256.of(world.second),
                        "after",
                        "after",
                        "after",
                        "after",
                        "rolled back 2.0.0",
                        "before " + Sha256.of(world.first),
                        "after");
        assertThat(world.floor()).as("the floor stays").isEqualTo(1);
        assertFailed(world.installer().install(world.secondOrder), Code.INS_FAILED_BEFORE);
        world.observer = record -> {};
        assertThat(world.installer().install(world.without(world.secondOrder, 3)))
                .isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void refusesAModelThatFailsItsGateAndRemembersIt() throws Exception {
        world.gate = Optional.of(new Rejection(Code.GATE_CANARY, "3 of 18"));
        assertFailed(world.installer().install(world.secondOrder), Code.GATE_CANARY);
        assertServes(world.first);
        assertThat(world.store.has(Sha256.of(world.second))).as("collected").isFalse();
        assertFailed(world.installer().install(world.secondOrder), Code.INS_FAILED_BEFORE);
        assertThat(world.log).isEmpty();
    }

    @Test
    void aProcessThatIsTooBusyToLoadCostsTimeOnly() throws Exception {
        world.dieOnPrepare = true;
        for (int i = 0; i < 10; i++) {
            assertInterrupted(world.installer().install(world.secondOrder), Code.INS_CANDIDATE_LOST);
        }
        assertServes(world.first);
        world.dieOnPrepare = false;
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void aDiskThatDoesNotReadAndMemoryThatIsShortAtTheGateCostTimeOnly() throws Exception {
        for (Code code : List.of(Code.INS_STORAGE, Code.INS_MEMORY)) {
            world.gate = Optional.of(new Rejection(code, "at the gate"));
            for (int i = 0; i < 5; i++) {
                assertInterrupted(world.installer().install(world.secondOrder), code);
            }
        }
        assertServes(world.first);
        world.gate = Optional.empty();
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void anOrderThatAnOlderAgentCouldNotCarryOutIsCarriedOutByANewerOne() throws Exception {
        ModelOrder order = world.without(world.secondOrder, 2);
        world.config = world.config.with(new InstallerConfig.Device("0.0.1", Long.MAX_VALUE, 0));
        assertFailed(world.installer().install(order), Code.UPD_INCOMPATIBLE);
        assertFailed(world.installer().install(order), Code.INS_FAILED_BEFORE);
        world.config = world.config.with(new InstallerConfig.Device("0.1.0", Long.MAX_VALUE, 0));
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void retriesTheTransportAndAsksForNoBlockTwice() throws Exception {
        world.transportFailures = 3;
        assertThat(world.installer().install(world.without(world.secondOrder, 2)))
                .isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.repeated).isZero();
    }

    @Test
    void isInterruptedByALastingOutageAndGoesOnLater() throws Exception {
        world.config = world.config.with(
                new InstallerConfig.Retries(0, java.time.Duration.ofMillis(1), java.time.Duration.ofMillis(1)));
        world.transportFailures = 1;
        ModelOrder order = world.without(world.secondOrder, 2);
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Interrupted.class);
        assertServes(world.first);
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.repeated).isZero();
    }

    @Test
    void dropsWrongBlocksAndNeverWritesThem() throws Exception {
        world.blockLie = block -> {
            block[0] ^= 1;
            return block;
        };
        Installer installer = world.installer();
        assertThat(installer.install(world.without(world.secondOrder, 2)))
                .isInstanceOfSatisfying(
                        InstallOutcome.Interrupted.class,
                        i -> assertThat(i.reason().code()).isEqualTo(Code.BLK_HASH));
        assertThat(Files.size(world.store.part(Sha256.of(world.second)))).isZero();
        assertThat(installer.progress("intent").orElseThrow().blocksRefused()).isPositive();
    }

    @Test
    void aMeteredLinkNeverTurnsAFailedDeltaIntoAFullDownload() throws Exception {
        ModelOrder damaged = damagedDelta();
        world.config = world.config.with(new InstallerConfig.Budget(Long.MAX_VALUE, true));
        assertFailed(world.installer().install(damaged), Code.DLT_FORMAT);
        world.config = world.config.with(new InstallerConfig.Budget(Long.MAX_VALUE, false));
        ModelOrder again = InstallWorld.order(3, damaged.model(), damaged.deltas());
        assertThat(world.installer().install(again)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void aFailedDeltaBeyondTheBudgetFails() throws Exception {
        ModelOrder order = damagedDelta();
        Rollout rollout = new Rollout("r", Instant.EPOCH, Duration.ZERO, Optional.empty(), world.second.length - 1);
        ModelTerms terms = new ModelTerms(order.terms().target(), false, Optional.of(rollout));
        assertFailed(
                world.installer().install(new ModelOrder("d", 2, order.model(), order.deltas(), terms)),
                Code.INS_BUDGET);
    }

    /** A delta that is signed and whole, but no patch. */
    private ModelOrder damagedDelta() throws IOException {
        byte[] nonsense = RepositorySimulator.model(77);
        byte[] cut = java.util.Arrays.copyOf(nonsense, 9000);
        Path file = Files.write(world.dir.resolve("nonsense"), cut);
        return InstallWorld.order(
                2, world.secondOrder.model(), List.of(world.delta(cut, world.first, world.second, file)));
    }

    @Test
    void aDownloadBeyondTheOwnersBudgetWaitsForTheOwner() throws Exception {
        world.config = world.config.with(new InstallerConfig.Budget(10, false));
        assertInterrupted(world.installer().install(world.secondOrder), Code.INS_BUDGET);
        assertThat(world.requests).isZero();
        world.config = world.config.with(new InstallerConfig.Budget(world.second.length, false));
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void waitsBeforeAnythingIsPulledWhileTheDiskIsFull() throws Exception {
        long[] free = {1000};
        ModelStore full = ModelStore.open(world.dir.resolve("store"), () -> free[0], Disk.LOCAL);
        InstallerPorts ports = new InstallerPorts(
                world, world, world, world.floors(), world.withdrawals(), java.time.Clock.systemUTC(), record -> {});
        Installer installer = Installer.open(full, world.config, ports);
        assertInterrupted(installer.install(world.secondOrder), Code.INS_DISK);
        assertInterrupted(installer.install(world.secondOrder), Code.INS_DISK);
        assertThat(world.requests).isZero();
        free[0] = Long.MAX_VALUE / 2;
        assertThat(installer.install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void theModelThatIsTheFallbackAlreadyAsksForNoReserve() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        ModelStore full = ModelStore.open(world.dir.resolve("store"), () -> 1000, Disk.LOCAL);
        InstallerPorts ports = new InstallerPorts(
                world, world, world, world.floors(), world.withdrawals(), java.time.Clock.systemUTC(), record -> {});
        assertThat(Installer.open(full, world.config, ports).install(world.without(world.firstOrder, 3)))
                .isInstanceOf(InstallOutcome.Committed.class);
        assertServes(world.first);
    }

    @Test
    void refusesAnEpochBelowTheFloor() throws Exception {
        world.floors.put("intent", world.secondOrder.model().epoch() + 1);
        assertFailed(world.installer().install(world.secondOrder), Code.UPD_EPOCH);
    }

    @Test
    void cancelWinsDuringTheDownload() throws Exception {
        Installer installer = world.installer();
        world.blockLie = block -> {
            installer.cancel("intent", new Rejection(Code.INS_CANCELLED, "cancelled"));
            return new byte[0];
        };
        assertFailed(installer.install(world.without(world.secondOrder, 2)), Code.INS_CANCELLED);
        assertServes(world.first);
    }

    @Test
    void toleratesATornLastLineAndReportsDamageElsewhere() throws Exception {
        Path journal = world.store.journal();
        byte[] sound = Files.readAllBytes(journal);
        Files.write(journal, java.util.Arrays.copyOf(sound, sound.length - 5));
        InstallJournal torn = InstallJournal.open(journal, Disk.LOCAL);
        assertThat(torn.damage()).isEmpty();
        assertThat(torn.unfinished("intent")).map(InstallRecord::state).contains(InstallState.PROBATION);
        byte[] damaged = sound.clone();
        damaged[sound.length / 2] ^= 1;
        Files.write(journal, damaged);
        InstallWorld.Recovered recovery = world.recover(world.installer());
        assertThat(recovery.journalDamage()).map(Rejection::code).contains(Code.INS_JOURNAL);
        assertServes(world.first);
    }

    @Test
    void recoversFromADamagedServingModelByTheFallback() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        Path blob = world.store.blob(Sha256.of(world.second));
        byte[] bytes = Files.readAllBytes(blob);
        bytes[7] ^= 1;
        Files.write(blob, bytes);
        world.recover(world.installer());
        assertServes(world.first);
        assertThat(world.log).endsWith("before " + Sha256.of(world.first), "after");
        assertThat(world.installer().history().getLast().reason())
                .map(Rejection::code)
                .contains(Code.INS_DIGEST);
        assertThat(world.installer().install(world.without(world.secondOrder, 2)))
                .as("the same order repairs it")
                .isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void nothingBelowTheFloorIsKeptToFallBackTo() throws Exception {
        ModelOrder raised = InstallWorld.order(2, world.target(world.second, "2.0.0", 2), List.of());
        assertThat(world.installer().install(raised)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.floor()).isEqualTo(2);
        assertThat(world.pointer().fallback("intent")).isEmpty();
        assertThat(world.store.has(Sha256.of(world.first))).isFalse();
    }

    @Test
    void recoveryServesNothingRatherThanAModelBelowTheFloor() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        world.floors.put("intent", (long) 2);
        Files.write(world.store.blob(Sha256.of(world.second)), new byte[] {1});
        assertThat(world.recover(world.installer()).pointer().models()).isEmpty();
    }

    @Test
    void recoversALostPointerFromTheJournal() throws Exception {
        Files.delete(world.dir.resolve("store/serving.json"));
        world.recover(world.installer());
        assertServes(world.first);
    }
}
