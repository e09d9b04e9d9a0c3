package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a service signs again by itself, and what stays with keys that are elsewhere. */
class RenewalTest {
    private static final Instant MADE = Instant.parse("2026-11-30T12:00:00Z");

    @TempDir
    Path dir;

    private FleetDirectory directory;
    private Path offline;

    @BeforeEach
    void init() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        offline = dir.resolve("stick");
        assertThat(repository(0, offline)
                        .init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1"), offline, Optional.empty()))
                .exists();
    }

    private static Clock after(long days) {
        return Clock.fixed(MADE.plus(Duration.ofDays(days)), ZoneOffset.UTC);
    }

    private FleetRepository repository(long days, Path... offlineKeys) {
        return new FleetRepository(directory, List.of(offlineKeys), after(days));
    }

    private Set<SignedRole> look(long days) throws Exception {
        try (Renewal renewal = new Renewal(repository(days), after(days))) {
            return renewal.run();
        }
    }

    private Map<SignedRole, Instant> expiries() throws Exception {
        return repository(0).expiries();
    }

    private static Instant day(long days) {
        return MADE.plus(Duration.ofDays(days));
    }

    @Test
    void keysThatTheServiceNeedsNotAreNotInItsFolder() throws IOException {
        try (Stream<Path> files = Files.list(directory.keys())) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .allMatch(name -> name.matches("(director|snapshot|timestamp|device-ca)[-.].*"))
                    .hasSize(8);
        }
        try (Stream<Path> files = Files.list(offline)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .allMatch(name -> name.matches("(root|targets|revocations)-.*\\.pem"))
                    .hasSize(9);
        }
    }

    @Test
    void aServiceLeavesAloneWhatIsGoodForLong() throws Exception {
        byte[] before = Files.readAllBytes(directory.metadata("timestamp.json"));
        assertThat(look(2)).isEmpty();
        assertThat(Files.readAllBytes(directory.metadata("timestamp.json"))).isEqualTo(before);
    }

    @Test
    void aServiceSignsTheTimestampAgainDaysBeforeItExpires() throws Exception {
        assertThat(look(4)).containsExactly(SignedRole.TIMESTAMP);
        assertThat(expiries())
                .containsEntry(SignedRole.TIMESTAMP, day(4 + 7))
                .containsEntry(SignedRole.SNAPSHOT, day(30));
        assertThat(look(16))
                .as("half its time is over")
                .containsExactlyInAnyOrder(SignedRole.SNAPSHOT, SignedRole.TIMESTAMP);
        assertThat(expiries())
                .containsEntry(SignedRole.SNAPSHOT, day(16 + 30))
                .containsEntry(SignedRole.TIMESTAMP, day(16 + 7))
                .containsEntry(SignedRole.TARGETS, day(90));
    }

    @Test
    void nothingOfAServicesOwnExpiresInTwoMonths() throws Exception {
        for (long day = 0; day < 60; day++) {
            look(day);
            assertThat(expiries().get(SignedRole.TIMESTAMP)).as("day " + day).isAfter(day(day + 2));
            assertThat(expiries().get(SignedRole.SNAPSHOT)).as("day " + day).isAfter(day(day + 7));
        }
        assertThat(expiries()).containsEntry(SignedRole.TARGETS, day(90));
    }

    @Test
    void targetsAreSignedAgainWhereTheirKeysAre() throws Exception {
        Set<SignedRole> all = Set.of(SignedRole.TARGETS, SignedRole.SNAPSHOT, SignedRole.TIMESTAMP);
        byte[] before = Files.readAllBytes(directory.metadata("timestamp.json"));
        assertThatThrownBy(() -> repository(50).renew(all))
                .hasMessageStartingWith("FLT-KEYS: keys of the role targets are missing: targets-ed25519.pem")
                .hasMessageContaining(directory.keys().toString());
        assertThat(Files.readAllBytes(directory.metadata("timestamp.json")))
                .as("nothing is signed by halves")
                .isEqualTo(before);
        assertThat(repository(50, offline).renew(all)).containsExactlyInAnyOrderElementsOf(all);
        assertThat(expiries()).containsEntry(SignedRole.TARGETS, day(50 + 90));
    }
}
