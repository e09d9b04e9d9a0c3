package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.control.Slot;
import dev.holdfast.storage.CrashDisk;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Ends the process after every transition, once with and once without a restart of the inference process, and starts
 * another over the same disk.
 */
class InstallCrashTest {
    @TempDir
    Path dir;

    private static final List<InstallState> FULL = List.of(
            InstallState.ANNOUNCED,
            InstallState.PLANNED,
            InstallState.DOWNLOADING,
            InstallState.VERIFIED,
            InstallState.STAGED,
            InstallState.CANDIDATE,
            InstallState.MEASURED,
            InstallState.PROBATION,
            InstallState.COMMITTED);

    @TestFactory
    List<DynamicTest> anInstallSurvivesAKillAtEveryTransition() {
        List<DynamicTest> tests = new ArrayList<>();
        for (boolean delta : new boolean[] {true, false}) {
            List<InstallState> states = new ArrayList<>(FULL);
            if (delta) {
                states.add(InstallState.PATCH_VERIFIED);
                states.add(InstallState.RECONSTRUCTING);
            }
            for (InstallState state : states) {
                for (boolean reboot : new boolean[] {false, true}) {
                    String name = (delta ? "delta" : "full") + " killed at " + state + (reboot ? ", rebooted" : "");
                    tests.add(DynamicTest.dynamicTest(name, () -> kill(name, delta, state, reboot)));
                }
            }
        }
        return tests;
    }

    private void kill(String name, boolean delta, InstallState state, boolean reboot) throws Exception {
        InstallWorld world = new InstallWorld(Files.createDirectory(dir.resolve(name.replace(' ', '-'))));
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.installer().install(world.embedder())).isInstanceOf(InstallOutcome.Committed.class);
        Slot beside = world.pointer().serving("embed").orElseThrow();
        ModelOrder order = delta ? world.secondOrder : world.without(world.secondOrder, 2);
        world.observer = record -> {
            if (record.state() == state) {
                world.observer = later -> {};
                throw new CrashDisk.Killed();
            }
        };
        Installer killed = world.installer();
        assertThatThrownBy(() -> killed.install(order)).isInstanceOf(CrashDisk.Killed.class);
        if (reboot) {
            world.reboot();
        }
        Installer installer = world.installer();
        InstallWorld.Recovered recovery = world.recover(installer);
        Slot serving = recovery.pointer().serving("intent").orElseThrow();
        assertThat(world.store.verifies(serving)).isTrue();
        assertThat(world.serving()).isPresent();
        assertThat(recovery.pointer().serving("embed")).as("the other model").contains(beside);
        assertThat(world.serving("embed")).contains(beside.digest());
        installer.finishPending("intent");
        assertThat(installer.install(order))
                .isInstanceOfAny(InstallOutcome.Committed.class, InstallOutcome.Unchanged.class);
        assertThat(world.pointed().digest()).isEqualTo(Sha256.of(world.second));
        assertThat(world.serving()).contains(Sha256.of(world.second));
        assertThat(world.repeated).as("verified blocks asked for again").isZero();
        assertThat(world.floor()).isEqualTo(1);
        assertThat(installer.history().getLast().state()).isEqualTo(InstallState.COMMITTED);
    }

    @TestFactory
    List<DynamicTest> aRollbackSurvivesAKill() {
        List<DynamicTest> tests = new ArrayList<>();
        for (InstallState state : List.of(InstallState.ROLLING_BACK, InstallState.ROLLED_BACK)) {
            tests.add(DynamicTest.dynamicTest("killed at " + state, () -> {
                InstallWorld world = new InstallWorld(Files.createDirectory(dir.resolve("back-" + state)));
                assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
                world.observer = record -> {
                    if (record.state() == InstallState.PROBATION) {
                        world.startedAt++;
                    }
                    if (record.state() == state) {
                        world.observer = later -> {};
                        throw new CrashDisk.Killed();
                    }
                };
                Installer killed = world.installer();
                assertThatThrownBy(() -> killed.install(world.secondOrder)).isInstanceOf(CrashDisk.Killed.class);
                Installer installer = world.installer();
                world.recover(installer);
                assertThat(world.serving()).contains(Sha256.of(world.first));
                assertThat(installer.history().getLast().state()).isEqualTo(InstallState.ROLLED_BACK);
                assertThat(installer.history().getLast().reason()).isPresent();
                assertThat(installer.install(world.secondOrder)).isInstanceOf(InstallOutcome.Failed.class);
            }));
        }
        return tests;
    }

    @TestFactory
    List<DynamicTest> aKillAmidTheDownloadCostsNoVerifiedBlock() {
        List<DynamicTest> tests = new ArrayList<>();
        for (int at : new int[] {1, 10, 30}) {
            tests.add(DynamicTest.dynamicTest("killed after " + at + " blocks", () -> {
                InstallWorld world = new InstallWorld(Files.createDirectory(dir.resolve("mid-" + at)));
                world.config = world.config.with(
                        new InstallerConfig.Retries(0, java.time.Duration.ofMillis(1), java.time.Duration.ofMillis(1)));
                int[] left = {at};
                world.blockLie = block -> {
                    if (left[0]-- == 0) {
                        throw new CrashDisk.Killed();
                    }
                    return block;
                };
                Installer killed = world.installer();
                assertThatThrownBy(() -> killed.install(world.firstOrder)).isInstanceOf(CrashDisk.Killed.class);
                left[0] = 3;
                world.blockLie = block -> left[0]-- > 0 ? block : new byte[0];
                assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Interrupted.class);
                world.blockLie = block -> block;
                assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
                assertThat(world.repeated).isZero();
            }));
        }
        return tests;
    }
}
