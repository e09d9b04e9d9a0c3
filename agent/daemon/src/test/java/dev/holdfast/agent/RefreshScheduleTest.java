package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RefreshScheduleTest {
    private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");

    private static RefreshSchedule pace(Duration refresh) {
        return new RefreshSchedule(refresh, InstantSource.fixed(NOW), new Random(1));
    }

    @Test
    void failuresGrowApartUpToFiveMinutesWithJitter() {
        RefreshSchedule pace = pace(Duration.ofHours(1));
        for (long seconds : new long[] {5, 10, 20, 40, 80, 160, 300, 300}) {
            assertThat(pace.afterFailure(Duration.ZERO))
                    .isBetween(Duration.ofMillis(500 * seconds), Duration.ofSeconds(seconds));
        }
        assertThat(pace.afterSuccess(Instant.MAX)).isEqualTo(Duration.ofHours(1));
        assertThat(pace.afterFailure(Duration.ZERO)).isLessThanOrEqualTo(Duration.ofSeconds(5));
    }

    @Test
    void theServicesWordCountsWhereItAsksForMore() {
        assertThat(pace(Duration.ofHours(1)).afterFailure(Duration.ofMinutes(20)))
                .isEqualTo(Duration.ofMinutes(20));
    }

    @Test
    void looksAgainWhenSomethingIsToBeDoneAndNeverInACircle() {
        RefreshSchedule pace = pace(Duration.ofHours(1));
        assertThat(pace.afterSuccess(NOW.plusSeconds(90))).isEqualTo(Duration.ofSeconds(90));
        assertThat(pace.afterSuccess(NOW.minusSeconds(90))).isEqualTo(Duration.ofSeconds(1));
        assertThat(pace.afterSuccess(NOW.plusSeconds(99_999))).isEqualTo(Duration.ofHours(1));
    }

    @Test
    void aClockThatWasLeftBehindIsRaisedByWhatIsKnown() {
        FloorClock clock = new FloorClock(Clock.fixed(Instant.EPOCH, ZoneOffset.UTC));
        assertThat(clock.instant()).isEqualTo(Instant.EPOCH);
        clock.raise(NOW);
        clock.raise(Instant.EPOCH);
        assertThat(clock.instant()).isEqualTo(NOW);
    }
}
