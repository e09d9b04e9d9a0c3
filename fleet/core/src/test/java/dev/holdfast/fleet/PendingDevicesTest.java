package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.fleet.PendingDevices.Pending;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The list of those that wait, which anybody may write to. */
class PendingDevicesTest {
    private static final Instant NOW = Instant.parse("2027-03-01T12:00:00Z");

    @TempDir
    Path dir;

    private static Sha256 key(String of) {
        return Sha256.of(of.getBytes(StandardCharsets.UTF_8));
    }

    private static Pending asks(String name, String key, Instant at) {
        return new Pending(name, key(key), Assurance.EMULATED, "the TPM has no certificate of its maker", at, at);
    }

    /** One in a thousand comes again now and then, as a device does. */
    @Test
    void tenThousandMadeUpDevicesFillABoundedListAndADeviceThatAsksIsOnIt() throws Exception {
        PendingDevices pending = new PendingDevices(new FleetDirectory(dir), 256);
        Random random = new Random(5);
        for (int i = 0; i < 10_000; i++) {
            pending.add(asks("made-up-" + i, "made up " + i, NOW), random);
            if (i % 1000 == 999) {
                pending.add(asks("cam-7", "genuine", NOW.plusSeconds(i)), random);
                assertThat(pending.find(key("genuine"))).isPresent();
            }
        }
        assertThat(pending.list(NOW)).hasSize(256);
        long bytes = 0;
        try (Stream<Path> files = Files.list(dir.resolve("pending"))) {
            for (Path file : files.toList()) {
                bytes += Files.size(file);
            }
        }
        assertThat(bytes).isLessThan(256 * 1024);
    }

    /** By lot: a flood of as many as there are places does not surely push one out. */
    @Test
    void whoMakesPlaceIsChosenByLot() throws Exception {
        int stayed = 0;
        Random random = new Random(7);
        for (int round = 0; round < 40; round++) {
            PendingDevices pending = new PendingDevices(new FleetDirectory(dir.resolve("round-" + round)), 16);
            Files.createDirectories(dir.resolve("round-" + round));
            pending.add(asks("cam-7", "genuine", NOW), random);
            for (int i = 0; i < 32; i++) {
                pending.add(asks("made-up", "made up " + i, NOW), random);
            }
            stayed += pending.find(key("genuine")).isPresent() ? 1 : 0;
        }
        // 17 have to go, each time one of 16: a third stays.
        assertThat(stayed).isBetween(4, 30);
    }

    @Test
    void aDeviceThatAsksAllTheTimeIsWrittenDownOnceAMinute() throws Exception {
        PendingDevices pending = new PendingDevices(new FleetDirectory(dir));
        Random random = new Random(1);
        pending.add(asks("cam-7", "genuine", NOW), random);
        pending.add(asks("cam-7", "genuine", NOW.plusSeconds(59)), random);
        assertThat(pending.find(key("genuine")).orElseThrow().last()).isEqualTo(NOW);
        pending.add(asks("cam-7", "genuine", NOW.plusSeconds(61)), random);
        Pending found = pending.find(key("genuine")).orElseThrow();
        assertThat(found.last()).isEqualTo(NOW.plusSeconds(61));
        assertThat(found.since()).isEqualTo(NOW);
        assertThat(pending.list(NOW.plus(Duration.ofDays(31))))
                .as("gone, after a month")
                .isEmpty();
    }

    /** A power cut in the middle of a write, and somebody's editor. */
    @Test
    void aFileThatDoesNotReadCountsForNone() throws Exception {
        PendingDevices pending = new PendingDevices(new FleetDirectory(dir));
        Random random = new Random(3);
        pending.add(asks("cam-7", "genuine", NOW), random);
        Path file = dir.resolve("pending").resolve(key("genuine").hex() + ".json");
        byte[] good = Files.readAllBytes(file);
        for (int i = 0; i < 500; i++) {
            byte[] bad = java.util.Arrays.copyOf(good, random.nextInt(good.length));
            if (bad.length > 0) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            Files.write(file, bad);
            assertThat(pending.list(NOW)).isEmpty();
        }
        pending.add(asks("cam-7", "genuine", NOW), random);
        assertThat(pending.list(NOW)).hasSize(1);
    }
}
