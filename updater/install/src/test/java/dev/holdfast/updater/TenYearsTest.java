package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Code;
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
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A device that takes a new release every day for years, with a template of some kilobytes in each: what it keeps beside the models does
 * not grow, its history is that of the last weeks, and a process that comes back finds its way.
 */
class TenYearsTest {
    /** What the operator was promised: all of the state without the models. The event log and the trust store are not in here. */
    private static final long MOST_BYTES = 3L << 20;

    private static final int TEMPLATE_BYTES = 4096;
    private static final int RESTART_EVERY = 30;
    private static final int FAILS_EVERY = 50;

    private final Path dir;
    private final InstallWorld world;
    private Instant today = Instant.parse("2026-01-01T00:00:00Z");
    private long largest;

    TenYearsTest() throws IOException {
        Path memory = Path.of("/dev/shm");
        dir = Files.isWritable(memory)
                ? Files.createTempDirectory(memory, "holdfast-years-")
                : Files.createTempDirectory("holdfast-years-");
        world = new InstallWorld(dir);
    }

    @BeforeEach
    void pretend() {
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ZERO, Duration.ofMillis(1)));
        world.clock = new Clock() {
            @Override
            public Instant instant() {
                return today;
            }

            @Override
            public ZoneOffset getZone() {
                return ZoneOffset.UTC;
            }

            @Override
            public Clock withZone(ZoneId zone) {
                return this;
            }
        };
    }

    @AfterEach
    void clear() throws IOException {
        try (Stream<Path> files = Files.walk(dir)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    @Test
    void aYearAndAMonth() throws Exception {
        live(400);
    }

    @Tag("full")
    @Test
    void tenYears() throws Exception {
        live(3_653);
    }

    private ModelTarget release(int day) throws IOException {
        byte[] bytes = new byte[2_000];
        new Random(day).nextBytes(bytes);
        world.service.clear();
        world.service.put(Sha256.of(bytes), bytes);
        Path file = Files.write(dir.resolve("publish"), bytes);
        String version = "1." + day + ".0";
        ObjectNode custom = RepositorySimulator.modelCustom(version, day, 1, BlockTree.of(file, InstallWorld.BLOCK));
        // A template of which each release changes something.
        custom.withObject("/template").putArray("stop").add(version + "x".repeat(TEMPLATE_BYTES));
        return InstallWorld.target(bytes, version, custom);
    }

    private void live(int days) throws Exception {
        Installer installer = world.installer();
        installer.recover();
        String serves = "";
        for (int day = 1; day <= days; day++) {
            today = today.plus(Duration.ofDays(1));
            ModelTarget release = release(day);
            world.refused = release.version();
            boolean fails = day % FAILS_EVERY == 0;
            world.gate = fails ? Optional.of(new Rejection(Code.GATE_CANARY, "no")) : Optional.empty();
            InstallOutcome outcome = installer.install(InstallWorld.order(day, release, List.of()), () -> true);
            if (fails) {
                assertThat(outcome).isInstanceOf(InstallOutcome.Failed.class);
                assertThat(installer
                                .install(InstallWorld.order(day, release, List.of()), () -> true)
                                .toString())
                        .contains("INS-FAILED-BEFORE");
            } else {
                assertThat(outcome).isInstanceOf(InstallOutcome.Committed.class);
                serves = release.version();
            }
            if (day % RESTART_EVERY == 0) {
                installer = world.installer();
                assertThat(installer.recover()).isEmpty();
                assertThat(installer.settle("intent")).isEmpty();
            }
            largest = Math.max(largest, stateBytes());
            assertThat(world.store
                            .stored()
                            .orElseThrow()
                            .serving("intent")
                            .orElseThrow()
                            .version())
                    .isEqualTo(serves);
        }
        assertThat(largest).as("bytes of state").isLessThan(MOST_BYTES);
        List<InstallRecord> history = installer.history();
        assertThat(history.getLast().orderVersion()).isEqualTo(days);
        assertThat(Duration.between(history.getFirst().at(), today)).isGreaterThan(Duration.ofDays(30));
        assertThat(history).isSortedAccordingTo(Comparator.comparingLong(InstallRecord::sequence));
        System.out.printf(
                "%d days of updates: at most %d KiB of state without the models, %d lines of history since %s%n",
                days,
                largest >> 10,
                history.size(),
                history.getFirst().at().toString().substring(0, 10));
    }

    /** All files of the store but the models. */
    private long stateBytes() throws IOException {
        try (Stream<Path> files = Files.walk(dir.resolve("store"))) {
            return files.filter(Files::isRegularFile)
                    .filter(file -> !file.startsWith(dir.resolve("store/blobs")))
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        }
    }
}
