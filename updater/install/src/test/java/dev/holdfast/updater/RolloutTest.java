package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.client.RetryLaterException;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** When, how fast and at what cost; all by the injected clocks. */
@Timeout(60)
class RolloutTest {
    private static final Instant NOON = Instant.parse("2026-03-01T12:00:00Z");
    private static final Rollout.Window NIGHT = new Rollout.Window(23 * 60, 180);

    private final InstallWorld world;
    private final SteppedTimer timer = new SteppedTimer();

    RolloutTest(@TempDir Path early) throws IOException {
        world = new InstallWorld(early);
        world.timer = timer;
    }

    @BeforeEach
    void installTheFirstModel() throws Exception {
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        world.requests = 0;
        timer.waits.clear();
        at(NOON);
    }

    private void at(Instant now) {
        world.clock = Clock.fixed(now, ZoneOffset.UTC);
    }

    private ModelOrder order(Rollout rollout) {
        ModelOrder order = world.without(world.secondOrder, 2);
        return new ModelOrder(
                "device-1",
                2,
                order.model(),
                order.deltas(),
                new ModelTerms(order.model().file().path(), true, Optional.of(rollout)));
    }

    private static void assertInterrupted(InstallOutcome outcome, Code code) {
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        InstallOutcome.Interrupted.class,
                        i -> assertThat(i.reason().code()).isEqualTo(code));
    }

    private static void assertFailed(InstallOutcome outcome, Code code) {
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        InstallOutcome.Failed.class,
                        f -> assertThat(f.reason().code()).isEqualTo(code));
    }

    private static Rollout read(String json) throws RejectedException {
        return Rollout.of(Fields.read(json.getBytes(StandardCharsets.UTF_8), 4096, Code.UPD_FORMAT));
    }

    /** By {@code printf r1 | openssl dgst -sha256 -hmac device-1}, the first 16 digits modulo 3600. */
    @Test
    void theDelayIsTheHmacOfDeviceAndRollout() {
        Rollout rollout = new Rollout("r1", NOON, Duration.ofHours(1), Optional.empty(), Long.MAX_VALUE);
        assertThat(rollout.begins("device-1")).isEqualTo(NOON.plusSeconds(2114));
        assertThat(rollout.begins("device-2")).isEqualTo(NOON.plusSeconds(1481));
    }

    @Test
    void devicesSpreadOverTheWholeTime() {
        Rollout rollout = new Rollout("r1", NOON, Duration.ofSeconds(10), Optional.empty(), Long.MAX_VALUE);
        java.util.Map<Long, Integer> perSecond = new java.util.TreeMap<>();
        for (int i = 0; i < 10_000; i++) {
            perSecond.merge(Duration.between(NOON, rollout.begins("d" + i)).toSeconds(), 1, Integer::sum);
        }
        // Binomial: 1000 expected, standard deviation 30.
        assertThat(perSecond)
                .hasSize(10)
                .allSatisfy((second, n) -> assertThat(n).isBetween(850, 1150));
    }

    @Test
    void aWindowMayReachOverMidnight() {
        Instant eleven = Instant.parse("2026-03-01T23:00:00Z");
        assertThat(NIGHT.opens(NOON)).isEqualTo(eleven);
        assertThat(NIGHT.opens(eleven)).isEqualTo(eleven);
        Instant half = Instant.parse("2026-03-02T01:59:59Z");
        assertThat(NIGHT.opens(half)).isEqualTo(half);
        assertThat(NIGHT.opens(Instant.parse("2026-03-02T02:00:00Z"))).isEqualTo(eleven.plus(Duration.ofDays(1)));
        Rollout.Window always = new Rollout.Window(600, 1440);
        assertThat(always.opens(NOON)).isEqualTo(NOON);
        assertThat(NIGHT.opens(Instant.EPOCH)).isEqualTo(Instant.EPOCH);
    }

    @Test
    void readsWhatWasSigned() throws Exception {
        assertThat(
                        read(
                                "{\"id\":\"r\",\"start\":60,\"spreadSeconds\":5,\"window\":{\"fromMinute\":1380,\"minutes\":180},\"byteBudget\":9,\"other\":1}"))
                .isEqualTo(new Rollout("r", Instant.ofEpochSecond(60), Duration.ofSeconds(5), Optional.of(NIGHT), 9));
        assertThat(read("{\"id\":\"r\"}").begins("any")).isEqualTo(Instant.EPOCH);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"id\":\"r\",\"spreadSeconds\":-1}",
                "{\"id\":\"r\",\"spreadSeconds\":9223372036854775807}",
                "{\"id\":\"r\",\"start\":9223372036854775807}",
                "{\"id\":\"r\",\"start\":\"now\"}",
                "{\"id\":\"r\",\"window\":{}}",
                "{\"id\":\"r\",\"window\":{\"fromMinute\":1440,\"minutes\":1}}",
                "{\"id\":\"r\",\"window\":{\"fromMinute\":0,\"minutes\":0}}",
                "{\"id\":\"r\",\"window\":{\"fromMinute\":4294967296,\"minutes\":60}}",
                "{\"id\":\"r\",\"byteBudget\":0}"
            })
    void refusesARolloutThatMakesNoSense(String json) {
        assertThatThrownBy(() -> read(json))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.rejection().code()).isEqualTo(Code.UPD_FORMAT));
    }

    @Test
    void nothingIsPulledBeforeTheDevicesTurn() throws Exception {
        Rollout rollout = new Rollout("r1", NOON, Duration.ofHours(1), Optional.empty(), Long.MAX_VALUE);
        ModelOrder order = order(rollout);
        assertInterrupted(world.installer().install(order), Code.INS_WAITING);
        at(rollout.begins("device-1").minusSeconds(1));
        assertInterrupted(world.installer().install(order), Code.INS_WAITING);
        assertThat(world.requests).isZero();
        at(rollout.begins("device-1"));
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Committed.class);
    }

    @Test
    void downloadsNowAndSwapsInTheWindow() throws Exception {
        ModelOrder order = order(new Rollout("r1", Instant.EPOCH, Duration.ZERO, Optional.of(NIGHT), Long.MAX_VALUE));
        assertInterrupted(world.installer().install(order), Code.INS_WAITING);
        assertThat(world.store.has(Sha256.of(world.second))).isTrue();
        assertThat(world.serving()).contains(Sha256.of(world.first));
        int asked = world.requests;
        assertInterrupted(world.installer().install(order), Code.INS_WAITING);
        at(Instant.parse("2026-03-01T23:30:00Z"));
        assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.requests).as("all was there").isEqualTo(asked);
    }

    @Test
    void theOrdersBudgetCountsBesideTheDevices() throws Exception {
        ModelOrder order =
                order(new Rollout("r1", Instant.EPOCH, Duration.ZERO, Optional.empty(), world.second.length - 1));
        assertFailed(world.installer().install(order), Code.INS_BUDGET);
        assertThat(world.requests).isZero();
    }

    @Test
    void theAverageRateStaysBelowTheCap() throws Exception {
        world.config = world.config.with(new InstallerConfig.Pace(10_000, 2));
        assertThat(world.installer().install(order(Rollout.NONE))).isInstanceOf(InstallOutcome.Committed.class);
        // A second's worth is there at first.
        double seconds = (world.second.length - 10_000) / 10_000.0;
        assertThat(timer.passed().toMillis() / 1000.0).isBetween(seconds, seconds * 1.2);
    }

    @Test
    void retriesAreBoundedAndJittered() throws Exception {
        world.config = world.config.with(new InstallerConfig.Retries(5, Duration.ofSeconds(1), Duration.ofSeconds(8)));
        world.blocksPerFetch = 0;
        assertInterrupted(world.installer().install(order(Rollout.NONE)), Code.BLK_HASH);
        assertThat(world.requests).isEqualTo(6);
        long[] full = {1, 2, 4, 8, 8};
        assertThat(timer.waits).hasSize(5);
        for (int i = 0; i < full.length; i++) {
            assertThat(timer.waits.get(i)).isBetween(Duration.ofMillis(full[i] * 500), Duration.ofSeconds(full[i]));
        }
    }

    @Test
    void theServicesRetryAfterIsObeyedWithinAnHour() throws Exception {
        world.config = world.config.with(new InstallerConfig.Retries(1, Duration.ofMillis(1), Duration.ofMillis(2)));
        world.retryAfter = Optional.of(Duration.ofSeconds(90));
        assertInterrupted(world.installer().install(order(Rollout.NONE)), Code.LNK_REFUSED);
        assertThat(timer.waits).containsExactly(Duration.ofSeconds(90));
        timer.waits.clear();
        world.retryAfter = Optional.of(Duration.ofDays(900));
        assertInterrupted(world.installer().install(order(Rollout.NONE)), Code.LNK_REFUSED);
        assertThat(timer.waits).containsExactly(RetryLaterException.MAX);
    }

    @Test
    void aNewerOrderTakesThePlaceOfOneThatIsStuck() throws Exception {
        byte[] third = RepositorySimulator.model(3);
        ModelOrder next = InstallWorld.order(3, world.target(third, "3.0.0", 1), List.of());
        Installer installer = world.installer();
        byte[][] seen = new byte[1][];
        world.blockLie = block -> {
            seen[0] = block;
            installer.supersede("intent", 3);
            return new byte[] {1};
        };
        assertInterrupted(installer.install(order(Rollout.NONE)), Code.INS_SUPERSEDED);
        assertThat(seen[0]).isNotNull();
        world.blockLie = block -> block;
        assertThat(installer.install(next)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.serving()).contains(Sha256.of(third));
        assertThat(installer.history()).anySatisfy(r -> {
            assertThat(r.orderVersion()).isEqualTo(2);
            assertThat(r.state()).isEqualTo(InstallState.FAILED);
            assertThat(r.reason().orElseThrow().code()).isEqualTo(Code.INS_SUPERSEDED);
        });
    }

    @Test
    void whatIsPutOffCostsNoBlock() throws Exception {
        Installer installer = world.installer();
        world.blocksPerFetch = 4;
        boolean[] told = {false};
        world.blockLie = block -> {
            if (!told[0]) {
                installer.supersede("intent", 99);
            }
            told[0] = true;
            return block;
        };
        assertInterrupted(installer.install(order(Rollout.NONE)), Code.INS_SUPERSEDED);
        assertThat(installer.install(order(Rollout.NONE))).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.repeated).isZero();
    }
}
