package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.trust.client.BlockSink;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whoever can send blocks to a device, right or wrong ones, costs it time and never the order. */
@Timeout(60)
class JunkBlocksTest {
    private static final Instant NOON = Instant.parse("2026-03-01T12:00:00Z");

    private final InstallWorld world;
    private final SteppedTimer timer = new SteppedTimer();

    JunkBlocksTest(@TempDir Path dir) throws IOException {
        world = new InstallWorld(dir);
        world.timer = timer;
        world.clock = Clock.fixed(NOON, ZoneOffset.UTC);
    }

    @BeforeEach
    void installTheFirstModel() throws Exception {
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        timer.waits.clear();
    }

    /** An order of the second model, whole, that allows so many bytes. */
    private ModelOrder order(long signedBytes, DeltaTarget... deltas) {
        ModelOrder order = world.secondOrder;
        Rollout rollout = new Rollout("r1", Instant.EPOCH, Duration.ZERO, Optional.empty(), signedBytes);
        return new ModelOrder(
                "d",
                2,
                order.model(),
                List.of(deltas),
                new ModelTerms(order.terms().target(), false, Optional.of(rollout)));
    }

    /** Sends {@code junk} wrong blocks before each question is answered, and no more once nobody listens. */
    private final class Junk implements BlockSource {
        final int junk;
        boolean answers;
        int heard;
        int mostHeard;

        Junk(int junk) {
            this.junk = junk;
        }

        @Override
        public List<Sha256> leaves(Sha256 blob, int first, int count) throws IOException {
            return world.leaves(blob, first, count);
        }

        @Override
        public void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException {
            heard = 0;
            byte[] wrong = new byte[cut.blockBytes()];
            try {
                for (int i = 0; i < junk; i++) {
                    heard++;
                    sink.accept(wanted.get(i % wanted.size()), Binary.copyOf(wrong));
                }
            } finally {
                mostHeard = Math.max(mostHeard, heard);
            }
            if (answers) {
                world.fetch(blob, cut, wanted, sink);
            }
        }
    }

    private static void assertInterrupted(InstallOutcome outcome, Code code) {
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        InstallOutcome.Interrupted.class,
                        cut -> assertThat(cut.reason().code()).isEqualTo(code));
    }

    @Test
    void junkSpendsNothingOfTheOrdersBudget() throws Exception {
        Junk junk = new Junk(10);
        ModelOrder order = order(world.second.length);
        long sent = 0;
        for (int process = 0; process < 10; process++) {
            assertInterrupted(world.installer(junk).install(order), Code.BLK_HASH);
            sent += 10L * InstallWorld.BLOCK * (world.config.retries().most() + 1);
        }
        assertThat(sent).as("several budgets were sent").isGreaterThan(4L * world.second.length);
        junk.answers = true;
        assertThat(world.installer(junk).install(order)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void nobodyListensToAQuestionForEverAndThePausesGrow() throws Exception {
        world.config = world.config.with(new InstallerConfig.Retries(5, Duration.ofSeconds(1), Duration.ofSeconds(8)));
        Junk junk = new Junk(1_000_000);
        assertInterrupted(world.installer(junk).install(order(world.second.length)), Code.BLK_HASH);
        assertThat(junk.mostHeard).isEqualTo(BlockDownload.MAX_BAD_ANSWERS);
        long[] full = {1, 2, 4, 8, 8};
        assertThat(timer.waits).hasSize(full.length);
        for (int i = 0; i < full.length; i++) {
            assertThat(timer.waits.get(i)).isBetween(Duration.ofMillis(full[i] * 500), Duration.ofSeconds(full[i]));
        }
    }

    /** A disk loses what it was given, again and again: the same blocks are pulled again, which is no fault of the order. */
    @Test
    void blocksThatTheDiskLostCountOnce() throws Exception {
        ModelOrder order = order(world.second.length);
        Path part = world.store.part(Sha256.of(world.second));
        for (int process = 0; process < 10; process++) {
            Half half = new Half();
            assertInterrupted(world.installer(half).install(order), Code.LNK_TIMEOUT);
            assertThat(half.sent).as("blocks that came anew").isPositive();
            Files.write(part, new byte[(int) Files.size(part)]);
        }
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Committed.class);
    }

    /** Sends half of the file, and then nothing more. */
    private final class Half implements BlockSource {
        int sent;

        @Override
        public List<Sha256> leaves(Sha256 blob, int first, int count) throws IOException {
            return world.leaves(blob, first, count);
        }

        @Override
        public void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException {
            int half = world.second.length / cut.blockBytes() / 2;
            for (int index : wanted) {
                if (sent < half) {
                    sent++;
                    world.fetch(blob, cut, List.of(index), sink);
                }
            }
            if (sent >= half) {
                throw new SourceException(Code.LNK_TIMEOUT, "nothing more comes");
            }
        }
    }

    /** A patch that is signed and no patch: what it cost was of use as far as anybody could know. */
    @Test
    void whatWasKeptBeyondASignedBudgetFailsTheOrder() throws Exception {
        byte[] nonsense = Arrays.copyOf(RepositorySimulator.model(77), 9000);
        Path file = Files.write(world.dir.resolve("nonsense"), nonsense);
        DeltaTarget damaged = world.delta(nonsense, world.first, world.second, file);
        assertThat(world.installer().install(order(world.second.length + 8000, damaged)))
                .isInstanceOfSatisfying(
                        InstallOutcome.Failed.class,
                        failed -> assertThat(failed.reason().code()).isEqualTo(Code.INS_BUDGET));
    }

    @Test
    void theBytesOfADayOnlyPauseJunkIncluded() throws Exception {
        long daily = 3L * world.second.length;
        world.config = world.config.with(new InstallerConfig.Budget(Long.MAX_VALUE, false, daily));
        Junk junk = new Junk(10);
        ModelOrder order = order(world.second.length);
        InstallOutcome outcome = world.installer(junk).install(order);
        for (int i = 0; i < 30 && is(outcome, Code.BLK_HASH); i++) {
            // Another process each time: the sum of the day outlives it.
            outcome = world.installer(junk).install(order);
        }
        assertInterrupted(outcome, Code.INS_METERED);
        assertThat(((InstallOutcome.Interrupted) outcome).until()).contains(Instant.parse("2026-03-02T00:00:00Z"));
        junk.answers = true;
        assertInterrupted(world.installer(junk).install(order), Code.INS_METERED);
        world.clock = Clock.fixed(Instant.parse("2026-03-02T00:00:01Z"), ZoneOffset.UTC);
        assertThat(world.installer(junk).install(order)).isInstanceOf(InstallOutcome.Committed.class);
    }

    private static boolean is(InstallOutcome outcome, Code code) {
        return outcome instanceof InstallOutcome.Interrupted(var _, var reason, var _) && reason.code() == code;
    }

    /** By a clock that was wrong for a while nothing waits. */
    @Test
    void aClockThatIsSetBackHoldsNothingUp() throws Exception {
        world.config = world.config.with(new InstallerConfig.Budget(Long.MAX_VALUE, false, world.second.length / 2));
        world.clock = Clock.fixed(Instant.parse("2106-01-01T12:00:00Z"), ZoneOffset.UTC);
        assertInterrupted(world.installer().install(order(Long.MAX_VALUE)), Code.INS_METERED);
        world.clock = Clock.fixed(NOON, ZoneOffset.UTC);
        assertInterrupted(world.installer().install(order(Long.MAX_VALUE)), Code.INS_METERED);
        world.clock = Clock.fixed(NOON.plus(Duration.ofDays(1)), ZoneOffset.UTC);
        assertThat(world.installer().install(order(Long.MAX_VALUE))).isInstanceOf(InstallOutcome.Committed.class);
    }
}
