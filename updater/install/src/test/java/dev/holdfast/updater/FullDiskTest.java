package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.storage.CutMatrix;
import dev.holdfast.storage.DiskException;
import dev.holdfast.storage.FullDisk;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A disk that is full from some moment on until somebody frees it: nothing is lost, the start does not end, the reason is told as a full
 * disk, and both the process that met it and a later one go on with the very same order.
 */
@Timeout(120)
class FullDiskTest {
    @TempDir
    Path dir;

    /** What an agent does: it starts, recovers, and has the order carried out; and again, as long as it is told to. */
    private static Rejection until(Installer installer, InstallWorld world, ModelOrder order) throws IOException {
        try {
            world.recover(installer);
            installer.finishPending("intent");
            return switch (installer.install(order)) {
                case InstallOutcome.Interrupted(var _, Rejection reason, var _) -> reason;
                case InstallOutcome.Failed(Rejection reason) -> fail("failed: " + reason);
                case InstallOutcome.RolledBack(var _, Rejection reason) -> fail("rolled back: " + reason);
                case InstallOutcome.Committed _, InstallOutcome.Unchanged _ -> new Rejection(Code.INS_WAITING, "done");
            };
        } catch (IOException e) {
            return DiskException.reasonOf(e).orElseThrow(() -> e);
        }
    }

    @Test
    void everyWriteOfAnInstallMayMeetAFullDisk() throws Exception {
        // What fsync costs is of no interest here.
        Path memory = CutMatrix.directory();
        try {
            everyWrite(memory);
        } finally {
            CutMatrix.clear(memory);
            Files.delete(memory);
        }
    }

    private static void everyWrite(Path places) throws Exception {
        int writes = 0;
        int met = 0;
        for (int left = 0; left <= writes; left++) {
            Path place = Files.createDirectory(places.resolve("at-" + left));
            InstallWorld world = new InstallWorld(place, true);
            world.blocksPerFetch = 8;
            assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
            FullDisk disk = new FullDisk(left == 0 ? Integer.MAX_VALUE : left - 1);
            Installer installer = world.installer(disk);
            Rejection reason = until(installer, world, world.secondOrder);
            if (left == 0) {
                writes = disk.writes();
                assertThat(reason.detail()).isEqualTo("done");
                continue;
            }
            assertThat(reason.code()).as("full at write " + left).isEqualTo(Code.INS_DISK);
            met++;
            assertThat(world.serving()).as("something serves").isPresent();
            // The disk is full at a start, too: it begins, and says so.
            FullDisk still = new FullDisk(0);
            Rejection again = until(world.installer(still), world, world.secondOrder);
            assertThat(again.code()).as("start on a full disk").isIn(Code.INS_DISK, Code.INS_WAITING);
            disk.free();
            // Odd ones without a restart, even ones after one.
            Installer later = left % 2 == 1 ? installer : world.installer();
            assertThat(until(later, world, world.secondOrder).detail())
                    .as("goes on after write " + left)
                    .isEqualTo("done");
            assertThat(world.pointed().version()).isEqualTo("2.0.0");
            assertThat(world.serving()).contains(dev.holdfast.wire.Sha256.of(world.second));
        }
        System.out.printf("full-disk matrix: tried %d, survived %d%n", writes, met);
        assertThat(writes).isGreaterThan(20);
    }

    @Test
    void theVeryFirstStartMayMeetAFullDisk() throws Exception {
        InstallWorld world = new InstallWorld(dir);
        for (String folder : new String[] {"about", "blobs", "partial"}) {
            Files.delete(dir.resolve("store").resolve(folder));
        }
        FullDisk disk = new FullDisk(0);
        Installer installer = world.installer(disk);
        assertThat(until(installer, world, world.firstOrder).code()).isEqualTo(Code.INS_DISK);
        disk.free();
        assertThat(until(installer, world, world.firstOrder).detail()).isEqualTo("done");
    }

    /** A file system of 1 MiB that another program filled. */
    @Test
    void aRealFileSystemThatIsFullIsToldAsOne() throws Exception {
        Path mount = Files.createDirectory(dir.resolve("small"));
        assumeTrue(
                run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount.toString()),
                "mounting a small file system needs root");
        try {
            InstallWorld world = new InstallWorld(mount);
            world.config = world.config.with(new InstallerConfig.Device("0.1.0", Long.MAX_VALUE, 0));
            Installer installer = Installer.open(
                    ModelStore.open(mount.resolve("store")),
                    world.config,
                    new InstallerPorts(
                            world, world, world, world.floors(), world.withdrawals(), world.clock, record -> {}));
            fill(mount.resolve("ballast"));
            Rejection reason = until(installer, world, world.firstOrder);
            assertThat(reason.code()).isEqualTo(Code.INS_DISK);
            Files.delete(mount.resolve("ballast"));
            assertThat(until(installer, world, world.firstOrder).detail()).isEqualTo("done");
        } finally {
            run("umount", mount.toString());
        }
    }

    private static void fill(Path file) throws IOException {
        byte[] page = new byte[4096];
        try (var out = Files.newOutputStream(file)) {
            while (true) {
                out.write(page);
            }
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("space");
        }
    }

    private static boolean run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getInputStream().readAllBytes();
        return process.waitFor(20, TimeUnit.SECONDS) && process.exitValue() == 0;
    }
}
