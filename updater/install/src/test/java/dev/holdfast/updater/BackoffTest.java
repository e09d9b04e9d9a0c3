package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BackoffTest {
    private final Backoff backoff = new Backoff(Duration.ofMillis(100), Duration.ofSeconds(2), new Random(1));

    @Test
    void doublesUpToTheCapAndLiesBetweenHalfAndTheWhole() {
        long[] wholeMillis = {100, 200, 400, 800, 1600, 2000, 2000};
        for (int attempt = 0; attempt < wholeMillis.length; attempt++) {
            for (int i = 0; i < 100; i++) {
                assertThat(backoff.pause(attempt).toMillis())
                        .as("attempt " + attempt)
                        .isBetween(wholeMillis[attempt] / 2, wholeMillis[attempt]);
            }
        }
    }

    @Test
    void devicesDoNotComeBackInStep() {
        assertThat(java.util.stream.IntStream.range(0, 100)
                        .mapToObj(i -> backoff.pause(5))
                        .distinct()
                        .count())
                .isGreaterThan(50);
    }

    @Test
    void anyNumberOfAttemptsKeepsTheCap() {
        assertThat(backoff.pause(Integer.MAX_VALUE)).isLessThanOrEqualTo(Duration.ofSeconds(2));
        assertThat(new Backoff(Duration.ZERO, Duration.ZERO, new Random(1)).pause(0))
                .isLessThanOrEqualTo(Duration.ofMillis(2));
    }
}
