package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScrubDutyTest {
    private static final Instant NOW = Instant.parse("2026-05-01T00:00:00Z");
    private static final Duration WEEK = Duration.ofDays(7);
    private static final Duration START = Duration.ofMinutes(10);

    @TempDir
    Path dir;

    private static Duration first(Duration ago) {
        return ScrubDuty.untilFirst(Optional.of(NOW.minus(ago)), NOW, WEEK);
    }

    @Test
    void aDeviceThatRestartsEveryDayIsReadAllTheSame() {
        assertThat(first(Duration.ofDays(3))).isEqualTo(Duration.ofDays(4));
        assertThat(first(Duration.ofDays(7).minusMinutes(1))).isEqualTo(START);
        assertThat(first(Duration.ofDays(30))).isEqualTo(START);
        assertThat(ScrubDuty.untilFirst(Optional.empty(), NOW, WEEK)).isEqualTo(START);
    }

    @Test
    void aRecordOfTheFutureDelaysNothing() {
        assertThat(first(Duration.ofDays(-4000))).isEqualTo(START);
    }

    @Test
    void aShortPauseStaysShort() {
        assertThat(ScrubDuty.untilFirst(Optional.empty(), NOW, Duration.ofSeconds(2)))
                .isEqualTo(Duration.ofSeconds(2));
    }

    @Test
    void whatIsNoTimeIsNoRecord() throws Exception {
        Path record = dir.resolve("last-scrub");
        assertThat(ScrubDuty.recorded(record)).isEmpty();
        Files.writeString(record, NOW.toString());
        assertThat(ScrubDuty.recorded(record)).contains(NOW);
        Files.writeString(record, "soon");
        assertThat(ScrubDuty.recorded(record)).isEmpty();
        Files.write(record, new byte[1 << 20]);
        assertThat(ScrubDuty.recorded(record)).isEmpty();
    }

    /** A repair that a full disk refused is not put off for a week. */
    @Test
    void whatCouldNotBeRepairedIsLookedAtAgainSoon() {
        Duration week = Duration.ofDays(7);
        assertThat(ScrubDuty.untilNext(0, week)).isEqualTo(week);
        assertThat(ScrubDuty.untilNext(1, week)).isEqualTo(Duration.ofMinutes(10));
        assertThat(ScrubDuty.untilNext(2, week)).isEqualTo(Duration.ofMinutes(20));
        assertThat(ScrubDuty.untilNext(40, week)).isEqualTo(week);
        assertThat(ScrubDuty.untilNext(1, Duration.ofSeconds(5))).isEqualTo(Duration.ofSeconds(5));
    }
}
