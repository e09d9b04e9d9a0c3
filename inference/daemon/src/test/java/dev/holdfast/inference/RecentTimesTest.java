package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class RecentTimesTest {
    private final RecentTimes times = new RecentTimes();

    @Test
    void aRequestWaitsLongerTheMoreAreBeforeIt() {
        times.took(TimeUnit.SECONDS.toNanos(3));
        assertThat(times.untilTurn(0, 1)).isEqualTo(Duration.ofSeconds(3));
        assertThat(times.untilTurn(4, 1)).isEqualTo(Duration.ofSeconds(15));
        assertThat(times.untilTurn(4, 3)).isEqualTo(Duration.ofSeconds(5));
        for (int waiting = 0; waiting < 100; waiting++) {
            assertThat(times.untilTurn(waiting + 1, 2)).isGreaterThan(times.untilTurn(waiting, 2));
        }
    }

    @Test
    void theNewestCountAndTheOldAreForgotten() {
        assertThat(times.untilTurn(0, 1)).as("nothing is known").isEqualTo(Duration.ofSeconds(1));
        times.took(TimeUnit.SECONDS.toNanos(60));
        for (int i = 0; i < 50; i++) {
            Duration before = times.untilTurn(0, 1);
            times.took(TimeUnit.SECONDS.toNanos(1));
            assertThat(times.untilTurn(0, 1)).isLessThan(before);
        }
        assertThat(times.untilTurn(0, 1)).isLessThan(Duration.ofMillis(1200));
    }
}
