package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.RejectedException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RolloutOptionsTest {
    private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");
    private static final Clock CLOCK = Clock.fixed(NOW, ZoneOffset.UTC);

    private final RolloutOptions options = new RolloutOptions();

    @Test
    void noOptionIsNoRollout() throws Exception {
        assertThat(options.terms(CLOCK)).isEmpty();
    }

    @Test
    void aSpreadBeginsNowAndAWindowMayReachOverMidnight() throws Exception {
        options.spread = Optional.of(Duration.ofHours(4));
        options.window = Optional.of("23:00-02:00");
        options.byteBudget = Optional.of(5L);
        assertThat(options.terms(CLOCK))
                .contains(new Rollout("once", NOW, Duration.ofHours(4), Optional.of(new Rollout.Window(1380, 180)), 5));
    }

    @ParameterizedTest
    @ValueSource(strings = {"23:00", "-", "25:00-26:00", "night", ""})
    void refusesAWindowThatIsNone(String text) {
        options.window = Optional.of(text);
        assertThatThrownBy(() -> options.terms(CLOCK))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("CFG-INVALID");
    }

    @Test
    void refusesABudgetThatDevicesWouldRefuse() {
        options.byteBudget = Optional.of(0L);
        assertThatThrownBy(() -> options.terms(CLOCK)).isInstanceOf(RejectedException.class);
    }
}
