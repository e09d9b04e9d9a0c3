package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.storage.CrashDisk;
import dev.holdfast.storage.CrashDisk.Loss;
import dev.holdfast.storage.CrashDisk.Moment;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The power-cut matrix of a repair at rest: the process ends around every operation of it on the disk, or the power goes. Each time a
 * model that verifies serves, and the next pass leaves the store whole.
 */
class ScrubPowerCutTest {
    /** What is damaged. */
    enum Scenario {
        FALLBACK,
        /** It has no release before it: repaired beside itself. */
        ALONE
    }

    private final InstallWorld world;
    private final Path store;
    private final Map<Path, byte[]> before = new HashMap<>();

    ScrubPowerCutTest(@TempDir Path dir) throws IOException {
        world = new InstallWorld(dir);
        store = dir.resolve("store");
    }

    private void prepare(Scenario scenario) throws IOException {
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        if (scenario == Scenario.FALLBACK) {
            assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        }
        for (Path file : CrashDisk.files(store)) {
            before.put(file, Files.readAllBytes(file));
        }
        Path blob = world.store.blob(Sha256.of(world.first));
        byte[] damaged = Files.readAllBytes(blob);
        damaged[5000] ^= 1;
        damaged[100_000] ^= 1;
        before.put(blob, damaged);
    }

    private void restore() throws IOException {
        for (Path file : CrashDisk.files(store)) {
            Files.delete(file);
        }
        for (Map.Entry<Path, byte[]> file : before.entrySet()) {
            Files.write(file.getKey(), file.getValue());
        }
    }

    /** A process that serves what it mapped before the damage, and one pass of the scrub. */
    private StoreScrub.Pass scrub(Disk disk) throws Exception {
        return new StoreScrub(world.installer(disk), 0)
                .run(
                        Instant.EPOCH,
                        slot -> Optional.of(
                                slot.version().equals("1.0.0") ? world.firstOrder.model() : world.secondOrder.model()));
    }

    private boolean crash(int at, Moment moment, Optional<Loss> loss, long seed) throws Exception {
        restore();
        CrashDisk disk = new CrashDisk(store, at, moment);
        try {
            scrub(disk);
        } catch (CrashDisk.Killed e) {
            assertThat(disk.fired).isTrue();
        } catch (IOException e) {
            assertThat(moment).as("only a failing disk fails: " + e).isEqualTo(Moment.ERROR);
        }
        if (loss.isPresent()) {
            disk.cutPower(loss.get(), new Random(seed));
        }
        return disk.fired;
    }

    private void comesBack(Scenario scenario, boolean powerWent) throws Exception {
        if (powerWent) {
            world.reboot();
        }
        world.recover(world.installer());
        byte[] serving = scenario == Scenario.FALLBACK ? world.second : world.first;
        if (scenario == Scenario.FALLBACK) {
            assertThat(world.pointed().digest()).isEqualTo(Sha256.of(serving));
            assertThat(world.store.verifies(world.pointed())).isTrue();
            assertThat(world.serving()).contains(Sha256.of(serving));
        }
        scrub(Disk.LOCAL);
        if (world.pointer().serving(InstallWorld.INTENT).isEmpty()) {
            // Its bytes were damaged and the power went: the order brings it back, from what is there.
            assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        }
        StoreScrub.Pass last = scrub(Disk.LOCAL);
        assertThat(last.isSound()).as(last.toString()).isTrue();
        assertThat(world.pointed().digest()).isEqualTo(Sha256.of(serving));
        assertThat(world.store.verifies(world.pointed())).isTrue();
        if (scenario == Scenario.FALLBACK) {
            assertThat(world.pointer().fallback(InstallWorld.INTENT))
                    .hasValueSatisfying(slot -> assertThat(slot.digest()).isEqualTo(Sha256.of(world.first)));
        }
        assertThat(CrashDisk.files(store.resolve("partial"))).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Scenario.class)
    void everyOperationMayBeTheLast(Scenario scenario) throws Exception {
        prepare(scenario);
        restore();
        CrashDisk whole = new CrashDisk(store, -1, Moment.BEFORE);
        assertThat(scrub(whole).isSound()).isTrue();
        List<String> operations = whole.operations;
        assertThat(operations).hasSizeGreaterThan(5);
        List<String> failures = new ArrayList<>();
        for (int at = 0; at < operations.size(); at++) {
            for (Moment moment : Moment.values()) {
                if (moment != Moment.AMID || operations.get(at).startsWith("write")) {
                    tried(failures, scenario, at, moment, Optional.empty(), operations.get(at));
                }
            }
            for (Loss loss : Loss.values()) {
                tried(failures, scenario, at, Moment.AFTER, Optional.of(loss), operations.get(at));
            }
        }
        assertThat(failures).as(failures.size() + " failed").isEmpty();
    }

    private void tried(
            List<String> failures, Scenario scenario, int at, Moment moment, Optional<Loss> loss, String operation) {
        try {
            // The process serves what it mapped, whatever became of the file.
            restore();
            world.load();
            world.forgetMeasured();
            assertThat(crash(at, moment, loss, at))
                    .as("the operation is reached")
                    .isTrue();
            comesBack(scenario, loss.isPresent());
        } catch (Exception | AssertionError e) {
            failures.add(scenario + " at " + at + ", " + operation + ", " + moment + " " + loss + ": " + e);
        }
    }
}
