package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class OpenAttemptsTest {
    @Test
    void whatWasPutIsTakenOnce() {
        OpenAttempts<Integer> open = new OpenAttempts<>(3, new Random(1));
        open.put("a", 1);
        open.put("b", 2);
        open.put("a", 3);
        assertThat(open.size()).isEqualTo(2);
        assertThat(open.take("a")).hasValue(3);
        assertThat(open.take("a")).isEmpty();
        assertThat(open.take("b")).hasValue(2);
        assertThat(open.size()).isZero();
    }

    /** Were the eldest pushed out, no genuine one would outlive as many made-up ones as there are places. */
    @Test
    void aFloodPushesOutAGenuineOneWithASmallChanceEachTimeOnly() {
        int survived = 0;
        for (int round = 0; round < 200; round++) {
            OpenAttempts<Integer> open = new OpenAttempts<>(100, new Random(round));
            open.put("genuine", round);
            for (int i = 0; i < 150; i++) {
                open.put("ghost-" + i, i);
            }
            assertThat(open.size()).isEqualTo(100);
            survived += open.take("genuine").isPresent() ? 1 : 0;
        }
        // 0.99 to the power of 51 is 0.6.
        assertThat(survived).isBetween(90, 150);
    }
}
