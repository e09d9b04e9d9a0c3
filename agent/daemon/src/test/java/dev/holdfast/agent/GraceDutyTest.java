package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class GraceDutyTest {
    private static final Instant NOW = Instant.parse("2027-01-02T03:04:05Z");

    private final BlockingQueue<Integer> calls = new LinkedBlockingQueue<>();

    private int next() throws InterruptedException {
        Integer call = calls.poll(20, TimeUnit.SECONDS);
        assertThat(call).as("a call").isNotNull();
        return call;
    }

    @Test
    void worksAgainWhenTheTimeHasComeAndWhenItIsWoken() throws Exception {
        int[] call = {0};
        try (GraceDuty duty = GraceDuty.start(
                () -> {
                    calls.add(++call[0]);
                    // By the device's time, which need not be the machine's.
                    return call[0] == 1 ? Optional.of(NOW.plusMillis(300)) : Optional.empty();
                },
                () -> NOW)) {
            assertThat(next()).isEqualTo(1);
            assertThat(next()).as("by itself").isEqualTo(2);
            assertThat(calls.poll(300, TimeUnit.MILLISECONDS))
                    .as("nothing is to come")
                    .isNull();
            duty.wake();
            assertThat(next()).isEqualTo(3);
        }
    }

    @Test
    void goesOnAfterAFailure() throws Exception {
        int[] call = {0};
        try (GraceDuty duty = GraceDuty.start(
                () -> {
                    calls.add(++call[0]);
                    if (call[0] == 1) {
                        throw new IOException("the disk is full");
                    }
                    throw new IllegalStateException("a defect");
                },
                () -> NOW)) {
            assertThat(next()).isEqualTo(1);
            duty.wake();
            assertThat(next()).isEqualTo(2);
            duty.wake();
            assertThat(next()).isEqualTo(3);
        }
        assertThat(calls).isEmpty();
    }
}
