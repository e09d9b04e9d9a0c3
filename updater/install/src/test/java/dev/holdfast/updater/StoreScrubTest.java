package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.Slot;
import dev.holdfast.storage.CrashDisk;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.updater.StoreScrub.Finding;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk that rots under two models: the second serves, the first is its fallback. */
class StoreScrubTest {
    private static final int BLOCKS = (150_000 + InstallWorld.BLOCK - 1) / InstallWorld.BLOCK;

    private final InstallWorld world;

    StoreScrubTest(@TempDir Path early) throws IOException {
        world = new InstallWorld(early);
    }

    @BeforeEach
    void installBoth() throws Exception {
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.installer().install(world.without(world.secondOrder, 2)))
                .isInstanceOf(InstallOutcome.Committed.class);
        world.delivered.clear();
        world.log.clear();
        world.requests = 0;
    }

    private StoreScrub.Pass scrub() throws Exception {
        return scrub(
                world.installer(),
                slot -> Optional.of(
                        slot.version().equals("1.0.0") ? world.firstOrder.model() : world.secondOrder.model()));
    }

    private StoreScrub.Pass scrub(Installer installer, StoreScrub.Listing listing) throws Exception {
        return new StoreScrub(installer, 0).run(Instant.EPOCH, listing);
    }

    private static List<Finding> findings(StoreScrub.Pass pass) {
        return pass.checked().stream().map(StoreScrub.Checked::finding).toList();
    }

    private void damage(byte[] model, int at) throws IOException {
        Path blob = world.store.blob(Sha256.of(model));
        byte[] bytes = Files.readAllBytes(blob);
        bytes[at] ^= 0x40;
        Files.write(blob, bytes, StandardOpenOption.WRITE);
    }

    @Test
    void findsNothingWhereNothingIsWrong() throws Exception {
        StoreScrub.Pass pass = scrub();
        assertThat(pass.isSound()).isTrue();
        assertThat(findings(pass)).containsExactly(Finding.SOUND, Finding.SOUND);
        assertThat(world.requests).isZero();
    }

    @Test
    void healsADamagedFallbackByItsDamagedBlocksAlone() throws Exception {
        damage(world.first, 5000);
        damage(world.first, 100_000);
        StoreScrub.Pass pass = scrub();
        assertThat(findings(pass)).containsExactly(Finding.HEALED, Finding.SOUND);
        assertThat(world.delivered).as("blocks that were pulled").hasSize(2);
        assertThat(world.pointer().fallback("intent").orElseThrow().digest()).isEqualTo(Sha256.of(world.first));
        assertThat(world.store.verifies(TargetSlot.of(world.firstOrder.model())))
                .isTrue();
        assertThat(CrashDisk.files(world.dir.resolve("store/partial"))).isEmpty();
        assertThat(world.installer().rollback("intent", "")).isInstanceOf(InstallOutcome.RolledBack.class);
    }

    @Test
    void aFallbackThatCannotBeHealedIsNoFallbackAndIsHealedLater() throws Exception {
        damage(world.first, 5000);
        Installer installer = world.installer();
        StoreScrub.Pass pass = scrub(installer, slot -> Optional.empty());
        assertThat(findings(pass)).containsExactly(Finding.QUARANTINED, Finding.SOUND);
        assertThat(pass.isSound()).isFalse();
        assertThat(world.pointer().fallback("intent")).isEmpty();
        assertThat(installer.rollback("intent", ""))
                .isInstanceOfSatisfying(
                        InstallOutcome.Failed.class,
                        f -> assertThat(f.reason().code()).isEqualTo(Code.INS_NO_FALLBACK));
        world.recover(world.installer());
        assertThat(findings(scrub())).containsExactly(Finding.SOUND, Finding.HEALED);
        assertThat(world.delivered).hasSize(1);
        assertThat(world.pointer().fallback("intent")).isPresent();
    }

    @Test
    void theModelBeforeServesWhileADamagedOneIsRepaired() throws Exception {
        damage(world.second, 70_000);
        assertThat(findings(scrub())).containsExactly(Finding.SOUND, Finding.TAKEN_OUT);
        assertThat(world.serving()).contains(Sha256.of(world.first));
        assertThat(world.log).endsWith("before " + Sha256.of(world.first), "after");
        assertThat(world.installer().history().getLast().reason().orElseThrow().code())
                .isEqualTo(Code.INS_DIGEST);
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.serving()).contains(Sha256.of(world.second));
        assertThat(world.delivered).as("the damaged block and nothing else").hasSize(1);
    }

    @Test
    void aServingModelWithoutAFallbackIsRepairedBesideAndNeverWrittenTo() throws Exception {
        assertThat(world.installer().rollback("intent", "")).isInstanceOf(InstallOutcome.RolledBack.class);
        damage(world.first, 70_000);
        Path blob = world.store.blob(Sha256.of(world.first));
        Object mapped = Files.getAttribute(blob, "unix:ino");
        assertThat(findings(scrub(world.installer(), slot -> Optional.empty()))).containsExactly(Finding.DAMAGED);
        assertThat(Files.getAttribute(blob, "unix:ino")).isEqualTo(mapped);
        assertThat(findings(scrub())).containsExactly(Finding.HEALED);
        assertThat(Files.getAttribute(blob, "unix:ino")).as("another file").isNotEqualTo(mapped);
        assertThat(world.store.verifies(TargetSlot.of(world.firstOrder.model())))
                .isTrue();
        assertThat(world.delivered).hasSize(1);
    }

    /** The first model has one before it, but its file is also all that the other model has. */
    @Test
    void whatAnotherModelIsMadeOfIsRepairedBesideAndNeverTakenAway() throws Exception {
        ModelOrder twin = InstallWorld.order(2, world.target("twin", world.second, "2.0.0", 1), List.of());
        assertThat(world.installer().install(twin)).isInstanceOf(InstallOutcome.Committed.class);
        damage(world.second, 70_000);
        Map<String, Slot> before = Map.copyOf(world.serving);
        StoreScrub.Pass unlisted = scrub(world.installer(), slot -> Optional.empty());
        assertThat(findings(unlisted)).containsExactly(Finding.SOUND, Finding.DAMAGED, Finding.DAMAGED);
        assertThat(world.store.has(Sha256.of(world.second))).isTrue();
        assertThat(world.serving).isEqualTo(before);
        assertThat(findings(scrub())).containsExactly(Finding.SOUND, Finding.HEALED, Finding.SOUND);
        assertThat(world.serving).isEqualTo(before);
        assertThat(world.delivered).as("the damaged block and nothing else").hasSize(1);
    }

    @Test
    void aFileThatIsGoneOrShortIsPulledAsFarAsItLacks() throws Exception {
        Path blob = world.store.blob(Sha256.of(world.first));
        Files.write(blob, Arrays.copyOf(world.first, 10 * InstallWorld.BLOCK));
        assertThat(findings(scrub())).containsExactly(Finding.HEALED, Finding.SOUND);
        assertThat(world.delivered).hasSize(BLOCKS - 10);
        world.delivered.clear();
        Files.delete(blob);
        assertThat(findings(scrub())).containsExactly(Finding.HEALED, Finding.SOUND);
        assertThat(world.delivered).hasSize(BLOCKS);
    }

    @Test
    void whatCouldNotBeRepairedGoesWithTheNextModel() throws Exception {
        damage(world.first, 5000);
        scrub(world.installer(), slot -> Optional.empty());
        byte[] third = RepositorySimulator.model(3);
        ModelOrder next = InstallWorld.order(3, world.target(third, "3.0.0", 1), List.of());
        assertThat(world.installer().install(next)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(CrashDisk.files(world.dir.resolve("store/partial"))).isEmpty();
    }

    @Test
    void leavesTheStoreAloneWhileAnInstallIsUnderWay() throws Exception {
        damage(world.second, 70_000);
        world.config = world.config.with(
                new InstallerConfig.Retries(0, java.time.Duration.ofMillis(1), java.time.Duration.ofMillis(1)));
        world.transportFailures = 1;
        byte[] third = RepositorySimulator.model(3);
        ModelOrder next = InstallWorld.order(3, world.target(third, "3.0.0", 1), List.of());
        assertThat(world.installer().install(next)).isInstanceOf(InstallOutcome.Interrupted.class);
        assertThat(findings(scrub())).containsExactly(Finding.SOUND, Finding.DAMAGED);
        assertThat(world.serving()).contains(Sha256.of(world.second));
    }

    @Test
    void readsNoFasterThanItMay() throws Exception {
        SteppedTimer timer = new SteppedTimer();
        new StoreScrub(world.installer(), 10_000, timer).run(Instant.EPOCH, slot -> Optional.empty());
        assertThat(timer.passed().toMillis() / 1000.0).isBetween(29.0, 31.0);
    }
}
