package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.Slot;
import dev.holdfast.delta.DeltaProducer;
import dev.holdfast.trust.client.BlockSink;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is signed, whole and consistent, and still says something that is not so; and steps that are cut off where it hurts most. */
@Timeout(120)
class LyingInstallTest {
    private static final int RESULT_HASH = 48;

    private final InstallWorld world;

    LyingInstallTest(@TempDir Path early) throws IOException {
        world = new InstallWorld(early);
    }

    @BeforeEach
    void installTheFirstModel() throws Exception {
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        world.log.clear();
    }

    private static void assertFailed(InstallOutcome outcome, Code code, String detail) {
        assertThat(outcome).isInstanceOfSatisfying(InstallOutcome.Failed.class, failed -> {
            assertThat(failed.reason().code()).as(failed.reason().toString()).isEqualTo(code);
            assertThat(failed.reason().detail()).contains(detail);
        });
    }

    private static void assertInterrupted(InstallOutcome outcome, Code code) {
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        InstallOutcome.Interrupted.class,
                        cut -> assertThat(cut.reason().code())
                                .as(cut.reason().toString())
                                .isEqualTo(code));
    }

    private void assertServesTheFirst() throws IOException {
        assertThat(world.serving()).contains(Sha256.of(world.first));
        assertThat(world.pointed().digest()).isEqualTo(Sha256.of(world.first));
        assertThat(world.store.has(Sha256.of(world.second))).isFalse();
    }

    // --- patches ---

    /** A patch from {@code base} to {@code made} whose head says that it makes {@code named}, with its own hash in order. */
    private byte[] patch(byte[] base, byte[] made, byte[] named) throws IOException {
        Path patch = world.dir.resolve("lying");
        DeltaProducer.create(
                Files.write(world.dir.resolve("lying.base"), base),
                Files.write(world.dir.resolve("lying.next"), made),
                patch);
        byte[] bytes = Files.readAllBytes(patch);
        System.arraycopy(Sha256.of(named).toArray(), 0, bytes, RESULT_HASH, Sha256.BYTES);
        ByteBuffer head = ByteBuffer.wrap(bytes);
        int body = 100 + 76 * head.getInt(88) + head.getInt(92);
        byte[] hash = Sha256.of(Arrays.copyOf(bytes, body)).toArray();
        System.arraycopy(hash, 0, bytes, body, hash.length);
        Files.write(patch, bytes);
        return bytes;
    }

    private ModelOrder by(byte[] patch) throws IOException {
        DeltaTarget delta = world.delta(patch, world.first, world.second, world.dir.resolve("lying"));
        // So that what is wrong with the patch is what ends the order.
        world.config = world.config.with(new InstallerConfig.Budget(Long.MAX_VALUE, true));
        return InstallWorld.order(2, world.secondOrder.model(), List.of(delta));
    }

    /** Every hash in the patch is right but the one that says what comes of it all: the model's own entry decides. */
    @Test
    void aSignedPatchThatMakesAnotherFileIsNotTheModel() throws Exception {
        byte[] evil = InstallWorld.nudged(world.second);
        ModelOrder order = by(patch(world.first, evil, world.second));
        assertFailed(
                world.installer().install(order),
                Code.INS_DIGEST,
                world.secondOrder.model().file().path());
        assertServesTheFirst();
        assertThat(world.store.has(Sha256.of(evil))).isFalse();
    }

    @Test
    void aPatchThatNamesAnotherResultIsNone() throws Exception {
        byte[] evil = InstallWorld.nudged(world.second);
        ModelOrder order = by(patch(world.first, evil, evil));
        assertFailed(world.installer().install(order), Code.DLT_BASE, "patch and metadata name other files");
        assertServesTheFirst();
    }

    @Test
    void aPatchThatNamesAnotherBaseIsNone() throws Exception {
        byte[] base = InstallWorld.nudged(world.second);
        ModelOrder order = by(patch(base, world.second, world.second));
        assertFailed(world.installer().install(order), Code.DLT_BASE, "patch and metadata name other files");
        assertServesTheFirst();
    }

    @Test
    void aPatchWhoseResultIsLongerIsNone() throws Exception {
        byte[] longer = Arrays.copyOf(world.second, world.second.length + 16);
        ModelOrder order = by(patch(world.first, longer, world.second));
        assertFailed(world.installer().install(order), Code.DLT_BASE, "patch and metadata name other files");
        assertServesTheFirst();
    }

    @Test
    void aPatchThatIsLongerThanTheModelIsNotPulled() throws Exception {
        byte[] large = Arrays.copyOf(RepositorySimulator.model(68), world.second.length);
        Path file = Files.write(world.dir.resolve("large"), large);
        ModelOrder order = InstallWorld.order(
                2, world.secondOrder.model(), List.of(world.delta(large, world.first, world.second, file)));
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.delivered)
                .noneMatch(block -> block.startsWith(Sha256.of(large).toString()));
    }

    // --- blocks and leaves ---

    /** Entry, tree and blocks agree with each other, and the hash of the whole is another one. */
    @Test
    void aTreeOfOtherBytesThanTheEntryNamesGivesNoModel() throws Exception {
        byte[] evil = Arrays.copyOf(RepositorySimulator.model(66), world.second.length);
        BlockTree tree = BlockTree.of(Files.write(world.dir.resolve("evil"), evil), InstallWorld.BLOCK);
        ObjectNode custom = RepositorySimulator.modelCustom("2.0.0", 2, 1, tree);
        ModelTarget model = InstallWorld.target(world.second, "2.0.0", custom);
        world.service.put(Sha256.of(world.second), evil);
        assertFailed(
                world.installer().install(InstallWorld.order(2, model, List.of())),
                Code.INS_DIGEST,
                model.file().path());
        assertServesTheFirst();
    }

    /** A service whose leaves are those of other bytes, which it also delivers. */
    private BlockSource liar(byte[] bytes, int missingLeaves) {
        return new BlockSource() {
            @Override
            public List<Sha256> leaves(Sha256 blob, int first, int count) throws IOException {
                Path file = Files.write(world.dir.resolve("liar"), bytes);
                return MerkleTree.leaves(file, InstallWorld.BLOCK)
                        .subList(first, Math.max(first, first + count - missingLeaves));
            }

            @Override
            public void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException {
                world.service.put(blob, bytes);
                world.fetch(blob, cut, wanted, sink);
            }
        };
    }

    @Test
    void leavesOfOtherBytesAreNotKept() throws Exception {
        byte[] evil = Arrays.copyOf(RepositorySimulator.model(66), world.second.length);
        ModelOrder order = world.without(world.secondOrder, 2);
        assertInterrupted(world.installer(liar(evil, 0)).install(order), Code.BLK_HASH);
        assertThat(world.store.leavesFile(Sha256.of(world.second))).doesNotExist();
        assertServesTheFirst();
    }

    @Test
    void tooFewLeavesAreAFaultOfTheService() throws Exception {
        ModelOrder order = world.without(world.secondOrder, 2);
        assertInterrupted(world.installer(liar(world.second, 1)).install(order), Code.WIRE_FIELD);
    }

    /** Of the right length, with a number that no leaf has. */
    @Test
    void aBlockThatNobodyAskedForIsPassedOver() throws Exception {
        BlockSource eager = new BlockSource() {
            @Override
            public List<Sha256> leaves(Sha256 blob, int first, int count) throws IOException {
                return world.leaves(blob, first, count);
            }

            @Override
            public void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException {
                assertThat(sink.accept(-1, Binary.copyOf(new byte[cut.blockBytes()])))
                        .isFalse();
                world.fetch(blob, cut, wanted, sink);
            }
        };
        assertThat(world.installer(eager).install(world.without(world.secondOrder, 2)))
                .isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void storedLeavesThatLieAreFetchedAgain() throws Exception {
        Path stored = world.store.leavesFile(Sha256.of(world.second));
        int count = world.secondOrder.model().blocks().count(world.second.length);
        Files.createDirectories(Objects.requireNonNull(stored.getParent()));
        Files.write(stored, new byte[count * Sha256.BYTES]);
        assertThat(world.installer().install(world.without(world.secondOrder, 2)))
                .isInstanceOf(InstallOutcome.Committed.class);
    }

    /** The bitmap says that a block is here, and the disk says otherwise. */
    @Test
    void aKeptBlockThatTheDiskChangedIsPulledAgain() throws Exception {
        ModelOrder order = world.without(world.secondOrder, 2);
        world.config = world.config.with(new InstallerConfig.Retries(0, Duration.ofMillis(1), Duration.ofMillis(1)));
        world.transportFailures = 1;
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Interrupted.class);
        Path part = world.store.part(Sha256.of(world.second));
        byte[] bytes = Files.readAllBytes(part);
        for (int i = 0; i < bytes.length; i += InstallWorld.BLOCK) {
            bytes[i] ^= 1;
        }
        Files.write(part, bytes);
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.repeated).isPositive();
    }

    // --- measuring, probation and floors ---

    /** The process ends as soon as this state is on record. */
    private void killAt(InstallState state, ModelOrder order) throws IOException {
        world.observer = record -> {
            if (record.state() == state && record.orderVersion() == order.version()) {
                throw new IllegalStateException("killed");
            }
        };
        Installer installer = world.installer();
        assertThatThrownBy(() -> installer.install(order)).hasMessage("killed");
        world.observer = record -> {};
    }

    @Test
    void anInstallThatGoesOnAfterARebootIsMeasuredAgain() throws Exception {
        killAt(InstallState.MEASURED, world.secondOrder);
        world.log.clear();
        world.reboot();
        world.forgetMeasured();
        Installer later = world.installer();
        world.recover(later);
        assertThat(later.finishPending("intent"))
                .hasValueSatisfying(outcome -> assertThat(outcome).isInstanceOf(InstallOutcome.Committed.class));
        assertThat(world.log).containsSubsequence("before " + Sha256.of(world.second), "after");
    }

    @Test
    void aStagedFileThatWentBadIsPulledAgainByTheNextProcess() throws Exception {
        ModelOrder order = world.without(world.secondOrder, 2);
        killAt(InstallState.STAGED, order);
        Path blob = world.store.blob(Sha256.of(world.second));
        byte[] bytes = Files.readAllBytes(blob);
        bytes[5] ^= 1;
        Files.write(blob, bytes);
        Installer later = world.installer();
        world.recover(later);
        assertThat(later.install(order)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.serving()).contains(Sha256.of(world.second));
    }

    @Test
    void whatTheTeeDoesNotMeasureDoesNotServe() throws Exception {
        world.unmeasured = true;
        assertInterrupted(world.installer().install(world.secondOrder), Code.TEE_UNAVAILABLE);
        assertThat(world.serving()).contains(Sha256.of(world.first));
        assertThat(world.pointed().digest()).isEqualTo(Sha256.of(world.first));
        world.unmeasured = false;
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
    }

    /** The floor follows what was committed: else there would be no way back. */
    @Test
    void aFailingProbationRaisesNoFloor() throws Exception {
        world.restartOnProbation = true;
        ModelOrder raised = InstallWorld.order(2, world.target(world.second, "2.0.0", 2), List.of());
        assertThat(world.installer().install(raised)).isInstanceOf(InstallOutcome.RolledBack.class);
        assertThat(world.floor()).isEqualTo(1);
        assertThat(world.serving()).contains(Sha256.of(world.first));
    }

    /** Another model serves at the third look only. */
    @Test
    void aReleaseThatIsPushedAsideLateInItsProbationIsOnProbationAgain() throws Exception {
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ofMillis(300), Duration.ofMillis(1)));
        Slot before = world.pointed();
        int[] looks = {0};
        int[] begun = {0};
        world.observer = record -> begun[0] += record.state() == InstallState.PROBATION ? 1 : 0;
        InferenceControl pushed = world.withStatus(() -> {
            if (begun[0] == 1 && ++looks[0] == 3) {
                world.serving.put(InstallWorld.INTENT, before);
            }
            return false;
        });
        assertThat(world.installer(pushed).install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(begun[0]).as("probations").isEqualTo(2);
        assertThat(world.serving()).contains(Sha256.of(world.second));
    }

    @Test
    void anEpochThatNoLaterReleaseCouldUndoIsRefused() throws Exception {
        ModelOrder far = InstallWorld.order(2, world.target(world.second, "2.0.0", 1 + 1025), List.of());
        assertFailed(world.installer().install(far), Code.UPD_EPOCH, "the floor is 1");
        ModelOrder most = InstallWorld.order(3, world.target(world.second, "2.0.0", 1 + 1024), List.of());
        assertThat(world.installer().install(most)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void anOperatorDoesNotGoBackOntoADamagedRelease() throws Exception {
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        Path blob = world.store.blob(Sha256.of(world.first));
        byte[] bytes = Files.readAllBytes(blob);
        bytes[9] ^= 1;
        Files.write(blob, bytes);
        assertFailed(world.installer().rollback("intent", "no"), Code.INS_DIGEST, "1.0.0");
        assertThat(world.serving()).contains(Sha256.of(world.second));
        assertThat(world.pointed().digest()).isEqualTo(Sha256.of(world.second));
    }
}
