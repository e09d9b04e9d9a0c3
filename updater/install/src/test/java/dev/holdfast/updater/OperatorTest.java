package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.GateReport;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a person on the device asks for: back to the model before, no updates, updates again. */
@Timeout(60)
class OperatorTest {
    private final InstallWorld world;

    OperatorTest(@TempDir Path early) throws IOException {
        world = new InstallWorld(early);
    }

    @BeforeEach
    void installTheFirstModel() throws Exception {
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        world.log.clear();
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
                        i -> assertThat(i.reason().code()).isEqualTo(code));
    }

    /** Runs an install on another thread up to {@code state} and lets it go on after {@code then}. */
    private <T> T at(InstallState state, Installer installer, ModelOrder order, java.util.concurrent.Callable<T> then)
            throws Exception {
        CountDownLatch there = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        world.observer = record -> {
            if (record.state() == state) {
                there.countDown();
                await(goOn);
            }
        };
        CompletableFuture<InstallOutcome> outcome = new CompletableFuture<>();
        Thread.ofPlatform().name("install").start(() -> {
            try {
                outcome.complete(installer.install(order));
            } catch (Exception e) {
                outcome.completeExceptionally(e);
            }
        });
        await(there);
        CompletableFuture<T> asked = new CompletableFuture<>();
        Thread asking = Thread.ofPlatform().name("operator").start(() -> {
            try {
                asked.complete(then.call());
            } catch (Exception e) {
                asked.completeExceptionally(e);
            }
        });
        // A rollback is heard while it waits for its turn; whatever else is asked for returns at once.
        Awaitility.await()
                .pollInterval(Duration.ofMillis(1))
                .until(() -> !asking.isAlive() || asking.getState() == Thread.State.WAITING);
        goOn.countDown();
        installed = outcome.get(30, TimeUnit.SECONDS);
        return asked.get(30, TimeUnit.SECONDS);
    }

    private InstallOutcome installed = new InstallOutcome.Failed(new Rejection(Code.API_INTERNAL, "not run"));

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void goesBackMeasuredLikeAnyModelAndTheOrderIsNotRepeated() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        world.log.clear();
        assertThat(world.installer().rollback("intent", "answers in French"))
                .isInstanceOf(InstallOutcome.RolledBack.class);
        assertThat(world.serving()).contains(Sha256.of(world.first));
        assertThat(world.log).containsExactly("rolled back 2.0.0", "before " + Sha256.of(world.first), "after");
        assertThat(world.installer().history().getLast().reason())
                .contains(new Rejection(Code.INS_ROLLBACK_ASKED, "by the operator: answers in French"));
        assertFailed(world.installer().rollback("intent", ""), Code.INS_NO_FALLBACK);
        assertFailed(world.installer().install(world.secondOrder), Code.INS_FAILED_BEFORE);
    }

    @Test
    void doesNotGoBackBelowTheFloor() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        world.floors.put("intent", (long) 2);
        assertFailed(world.installer().rollback("intent", ""), Code.UPD_EPOCH);
        assertThat(world.serving()).contains(Sha256.of(world.second));
    }

    // --- withdrawn ---

    private void withdraw(String version) {
        world.withdrawn.add("models/intent/" + version + "/model.gguf");
    }

    @Test
    void doesNotGoBackToWhatWasWithdrawn() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        withdraw("1.0.0");
        assertFailed(world.installer().rollback("intent", ""), Code.UPD_WITHDRAWN);
        assertThat(world.serving()).contains(Sha256.of(world.second));
        assertThat(world.installer().leaveWithdrawn()).isEmpty();
        assertThat(world.pointer().fallback("intent"))
                .as("the inference process finds nothing to fall back to")
                .isEmpty();
        assertThat(world.serving()).contains(Sha256.of(world.second));
    }

    @Test
    void leavesWhatWasWithdrawnForTheReleaseBefore() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.installer().leaveWithdrawn()).isEmpty();
        assertThat(world.serving()).contains(Sha256.of(world.second));
        withdraw("2.0.0");
        assertThat(world.installer().leaveWithdrawn()).isEmpty();
        assertThat(world.serving()).contains(Sha256.of(world.first));
        assertThat(world.installer().history().getLast().reason().map(Rejection::code))
                .contains(Code.UPD_WITHDRAWN);
        assertThat(world.pointer().fallback("intent")).isEmpty();
    }

    @Test
    void servesOnWhereAllElseWasWithdrawnTooAndSaysSo() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        withdraw("1.0.0");
        withdraw("2.0.0");
        assertThat(world.installer().leaveWithdrawn().map(Rejection::code)).contains(Code.UPD_WITHDRAWN);
        assertThat(world.serving()).contains(Sha256.of(world.second));
    }

    /** Heard of while it is downloaded: the order was good when it was accepted. */
    @Test
    void doesNotServeWhatIsWithdrawnMeanwhile() throws Exception {
        Installer installer = world.installer();
        at(InstallState.DOWNLOADING, installer, world.secondOrder, () -> {
            withdraw("2.0.0");
            return true;
        });
        assertFailed(installed, Code.UPD_WITHDRAWN);
        assertThat(world.serving()).contains(Sha256.of(world.first));
    }

    @Test
    void aProbationThatFailsDoesNotBringBackWhatWasWithdrawn() throws Exception {
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ofHours(1), Duration.ofMillis(1)));
        Installer installer = world.installer();
        at(InstallState.PROBATION, installer, world.secondOrder, () -> {
            withdraw("1.0.0");
            installer.cancel("intent", new Rejection(Code.INS_CANCELLED, "no"));
            return true;
        });
        assertThat(installed).isInstanceOf(InstallOutcome.RolledBack.class);
        assertThat(world.pointer().serving("intent")).isEmpty();
    }

    /** The process ended on probation; the next one does not go on with it. */
    @Test
    void aProbationIsNotGoneOnWithOfWhatWasWithdrawn() throws Exception {
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ofHours(1), Duration.ofMillis(1)));
        Installer installer = world.installer();
        at(InstallState.PROBATION, installer, world.secondOrder, () -> {
            withdraw("2.0.0");
            installer.stop();
            return true;
        });
        assertThat(installed).isInstanceOf(InstallOutcome.Interrupted.class);
        assertThat(world.installer().finishPending("intent").orElseThrow())
                .isInstanceOfSatisfying(
                        InstallOutcome.RolledBack.class,
                        back -> assertThat(back.reason().code()).isEqualTo(Code.UPD_WITHDRAWN));
        assertThat(world.serving()).contains(Sha256.of(world.first));
    }

    @Test
    void aRollbackEndsAProbationAndGoesBackOnce() throws Exception {
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ofHours(1), Duration.ofMillis(1)));
        Installer installer = world.installer();
        InstallOutcome outcome =
                at(InstallState.PROBATION, installer, world.secondOrder, () -> installer.rollback("intent", "no"));
        assertThat(outcome).isInstanceOf(InstallOutcome.RolledBack.class);
        assertThat(installed).isInstanceOf(InstallOutcome.RolledBack.class);
        assertThat(world.serving()).contains(Sha256.of(world.first));
        assertThat(world.floor()).isEqualTo(1);
        assertThat(installer.history().stream().filter(r -> r.state() == InstallState.ROLLED_BACK))
                .hasSize(1);
    }

    @Test
    void aRollbackEndsADownloadAndGoesBackFromWhatServes() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        byte[] third = RepositorySimulator.model(3);
        ModelOrder next = InstallWorld.order(3, world.target(third, "3.0.0", 1), List.of());
        Installer installer = world.installer();
        InstallOutcome outcome =
                at(InstallState.DOWNLOADING, installer, next, () -> installer.rollback("intent", "no"));
        assertThat(outcome).isInstanceOf(InstallOutcome.RolledBack.class);
        assertFailed(installed, Code.INS_ROLLBACK_ASKED);
        assertThat(world.serving()).contains(Sha256.of(world.first));
        assertFailed(installer.install(next), Code.INS_FAILED_BEFORE);
    }

    @Test
    void aPauseInterruptsADownloadWhichGoesOnAfterwards() throws Exception {
        ModelOrder order = world.without(world.secondOrder, 2);
        Installer installer = world.installer();
        at(InstallState.DOWNLOADING, installer, order, () -> {
            installer.pause("at sea");
            return 0;
        });
        assertInterrupted(installed, Code.INS_PAUSED);
        world.observer = record -> {};
        Installer later = world.installer();
        assertThat(later.isPaused()).as("in the next process too").isTrue();
        assertInterrupted(later.install(order), Code.INS_PAUSED);
        later.unpause("in port");
        assertThat(later.install(order)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.repeated).isZero();
        assertThat(world.installer().operatorHistory())
                .extracting(OperatorRecord::action, OperatorRecord::reason)
                .containsExactly(
                        org.assertj.core.groups.Tuple.tuple(OperatorRecord.Action.PAUSED, "at sea"),
                        org.assertj.core.groups.Tuple.tuple(OperatorRecord.Action.RESUMED, "in port"));
    }

    @Test
    void aPauseLetsAModelOnProbationComeToItsEnd() throws Exception {
        Installer installer = world.installer();
        at(InstallState.PROBATION, installer, world.secondOrder, () -> {
            installer.pause("");
            return 0;
        });
        assertThat(installed).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void aStopOfTheAgentCostsNoBlockAndNoOrder() throws Exception {
        ModelOrder order = world.without(world.secondOrder, 2);
        Installer installer = world.installer();
        world.blockLie = block -> {
            installer.stop();
            return block;
        };
        world.blocksPerFetch = 8;
        assertInterrupted(installer.install(order), Code.INS_CANCELLED);
        world.blockLie = block -> block;
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.repeated).isZero();
    }

    @Test
    void aStopDuringProbationIsFinishedByTheNextProcessWithoutANetwork() throws Exception {
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ofHours(1), Duration.ofMillis(1)));
        Installer installer = world.installer();
        at(InstallState.PROBATION, installer, world.secondOrder, () -> {
            installer.stop();
            return 0;
        });
        assertInterrupted(installed, Code.INS_CANCELLED);
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ofMillis(2), Duration.ofMillis(1)));
        world.observer = record -> {};
        Installer next = world.installer();
        next.recover();
        assertThat(next.finishPending("intent")).containsInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void whatTheGateFoundOutlivesTheInstall() throws Exception {
        world.gate = Optional.of(new Rejection(Code.GATE_CANARY, "3 of 18"));
        assertFailed(world.installer().install(world.secondOrder), Code.GATE_CANARY);
        TrialLog trial = world.installer().history().getLast().trial().orElseThrow();
        assertThat(trial.checks())
                .containsExactly(
                        new GateReport.Check("digest", true, ""), new GateReport.Check("canary", false, "3 of 18"));
        assertThat(trial.lines()).containsExactly("loading", "a tensor is?[2J odd");
        assertThat(trial.restarts()).isZero();
    }

    @Test
    void theTrialOfAModelThatCrashedOnProbationOutlivesTheRollback() throws Exception {
        world.restartOnProbation = true;
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.RolledBack.class);
        InstallRecord last = world.installer().history().getLast();
        assertThat(last.state()).isEqualTo(InstallState.ROLLED_BACK);
        assertThat(last.trial().orElseThrow().restarts()).isEqualTo(3);
        assertThat(last.trial().orElseThrow().lines()).isNotEmpty();
    }

    @Test
    void aTrialLogIsBoundedAndItsNewestLinesStay() {
        List<String> lines = java.util.stream.IntStream.range(0, 1000)
                .mapToObj(i -> i + " " + "x".repeat(500))
                .toList();
        TrialLog trial = new TrialLog(
                java.util.Collections.nCopies(99, new GateReport.Check("n".repeat(999), false, "d".repeat(999))),
                3,
                lines);
        assertThat(trial.checks()).hasSize(TrialLog.MAX_CHECKS);
        assertThat(trial.lines()).hasSizeLessThanOrEqualTo(TrialLog.MAX_LINES);
        assertThat(trial.lines().getLast()).startsWith("999 ");
        assertThat(dev.holdfast.wire.Json.write(trial.toJson())).hasSizeLessThan(12_000);
    }
}
