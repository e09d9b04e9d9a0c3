package dev.holdfast.fleet.attest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is dropped where a device has too many archives. */
class KeptArchivesTest {
    private static final Instant FIRST = Instant.parse("2026-06-01T00:00:00Z");
    private static final int ARCHIVE_BYTES = 15_500;

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

    /** With archives as long as EvidenceKeptTest prints; this one prints what docs/performance.md says of them. */
    @Test
    @Tag("full")
    void aYearOfHourlyLooksStaysBelowItsBound() throws Exception {
        FleetDirectory directory = new FleetDirectory(dir.resolve("fleet"));
        new FleetRepository(directory, Clock.systemUTC()).init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1"));
        KeptArchives kept = new KeptArchives(directory);
        int hours = 365 * 24;
        for (int hour = 0; hour < hours; hour++) {
            kept.keep("cam-7", FIRST.plus(Duration.ofHours(hour)), new byte[ARCHIVE_BYTES]);
        }
        List<Path> files = kept.of("cam-7");
        long bytes = 0;
        Duration longest = Duration.ZERO;
        Instant before = FIRST;
        for (Path file : files) {
            bytes += Files.size(file);
            Instant at = KeptArchives.at(file).orElseThrow();
            Duration span = Duration.between(before, at);
            longest = span.compareTo(longest) > 0 ? span : longest;
            before = at;
        }
        System.out.println("a year of hourly archives: " + files.size() + " kept, " + bytes
                + " bytes, the longest time between two " + longest);
        assertThat(bytes).isLessThanOrEqualTo(KeptArchives.MAX_BYTES_OF_A_DEVICE);
        assertThat(KeptArchives.at(files.getFirst())).contains(FIRST);
        assertThat(before).isEqualTo(FIRST.plus(Duration.ofHours(hours - 1)));
        assertThat(longest).isLessThan(Duration.ofDays(1));
    }
}
