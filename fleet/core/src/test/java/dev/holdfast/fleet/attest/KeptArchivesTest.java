package dev.holdfast.fleet.attest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is dropped where a device has too many archives. */
class KeptArchivesTest {
    private static final Instant FIRST = Instant.parse("2026-06-01T00:00:00Z");

    @TempDir
    Path dir;

    @Test
    void aFloodOfLooksCostsLooksOfTheFlood() throws Exception {
        FleetDirectory directory = new FleetDirectory(dir.resolve("fleet"));
        new FleetRepository(directory, Clock.systemUTC()).init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1"));
        KeptArchives kept = new KeptArchives(directory);
        byte[] archive = new byte[1000];
        for (int day = 0; day < 10; day++) {
            kept.keep("cam-7", FIRST.plus(Duration.ofDays(day)), archive, 12_000);
        }
        for (int i = 0; i < 100; i++) {
            kept.keep("cam-7", FIRST.plus(Duration.ofDays(9)).plusSeconds(i + 1), archive, 12_000);
        }
        List<Instant> left = kept.of("cam-7").stream()
                .map(file -> KeptArchives.at(file).orElseThrow())
                .toList();
        assertThat(left).hasSize(12);
        for (int day = 0; day < 10; day++) {
            assertThat(left).as("day " + day).contains(FIRST.plus(Duration.ofDays(day)));
        }
        assertThat(left).contains(FIRST.plus(Duration.ofDays(9)).plusSeconds(100));
    }

    @Test
    void theNewestIsKeptHoweverLongItIs() throws Exception {
        FleetDirectory directory = new FleetDirectory(dir.resolve("fleet"));
        new FleetRepository(directory, Clock.systemUTC()).init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1"));
        KeptArchives kept = new KeptArchives(directory);
        for (int i = 0; i < 5; i++) {
            kept.keep("cam-7", FIRST.plusSeconds(i), new byte[5_000], 4_000);
        }
        assertThat(kept.of("cam-7")).hasSize(2);
        assertThat(KeptArchives.at(kept.of("cam-7").get(1))).contains(FIRST.plusSeconds(4));
    }
}
