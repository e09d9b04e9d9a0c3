package dev.holdfast.agent.pace;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RefreshScheduleTest {
    private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");

    private static RefreshSchedule pace(Duration refresh) {
        return new RefreshSchedule(refresh, new Random(1));
    }

    @Test
    void failuresGrowApartUpToFiveMinutesWithJitter() {
        RefreshSchedule pace = pace(Duration.ofHours(1));
        for (long seconds : new long[] {5, 10, 20, 40, 80, 160, 300, 300}) {
            assertThat(pace.afterFailure(Duration.ZERO))
                    .isBetween(Duration.ofMillis(500 * seconds), Duration.ofSeconds(seconds));
        }
        assertThat(pace.afterSuccess(Optional.empty())).isBetween(Duration.ofMinutes(45), Duration.ofHours(1));
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
        assertThat(pace.afterSuccess(Optional.of(Duration.ofSeconds(90)))).isEqualTo(Duration.ofSeconds(90));
        assertThat(pace.afterSuccess(Optional.of(Duration.ofSeconds(-90)))).isEqualTo(Duration.ofSeconds(1));
        assertThat(pace.afterSuccess(Optional.of(Duration.ofSeconds(99_999))))
                .isBetween(Duration.ofMinutes(45), Duration.ofHours(1));
    }

    /** After one outage of all, and a day of looks: nowhere in the hour is a crowd. */
    @Test
    void aFleetThatLookedTogetherIsSpreadOverTheHourADayLater() {
        int devices = 3000;
        int[] minutes = new int[60];
        for (int device = 0; device < devices; device++) {
            RefreshSchedule pace = new RefreshSchedule(Duration.ofHours(1), new Random(device));
            Duration at = pace.afterOutage();
            assertThat(at).isLessThanOrEqualTo(Duration.ofSeconds(30));
            while (at.compareTo(Duration.ofDays(1)) < 0) {
                at = at.plus(pace.afterSuccess(Optional.empty()));
            }
            minutes[(int) (at.toMinutes() % 60)]++;
        }
        System.out.println("looks a minute, a day later: " + Arrays.toString(minutes));
        assertThat(Arrays.stream(minutes).max().orElseThrow()).isLessThan(4 * devices / 60);
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
