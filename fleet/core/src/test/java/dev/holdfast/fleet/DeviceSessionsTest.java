package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class DeviceSessionsTest {
    private static final String A = "00000000000000aa";
    private static final String B = "00000000000000bb";

    private long nanos;
    private Instant now = Instant.parse("2026-01-01T00:00:00Z");
    private final DeviceSessions sessions = new DeviceSessions(() -> now, () -> nanos);

    @Test
    void aDeviceThatRestartsManyTimesIsNoClone() {
        for (int start = 0; start < 100; start++) {
            String session = "%016x".formatted(start);
            assertThat(sessions.reported("d", session)).isEmpty();
            assertThat(sessions.reported("d", session)).isEmpty();
        }
    }

    @Test
    void twoThatReportInTurnsAreOne() {
        sessions.reported("d", A);
        sessions.reported("d", B);
        assertThat(sessions.reported("d", A))
                .as("may be a report that the broker had kept")
                .isEmpty();
        Instant since = now;
        nanos += Duration.ofHours(1).toNanos();
        assertThat(sessions.reported("d", B)).contains(new DeviceSessions.Suspicion(since, 2));
        assertThat(sessions.reported("d", A)).contains(new DeviceSessions.Suspicion(since, 3));
        assertThat(sessions.reported("e", B)).as("another device").isEmpty();
    }

    @Test
    void returnsThatAreFarApartAreNone() {
        sessions.reported("d", A);
        sessions.reported("d", B);
        sessions.reported("d", A);
        nanos += Duration.ofHours(7).toNanos();
        // Whatever became of the wall clock meanwhile.
        now = now.minus(Duration.ofDays(365));
        assertThat(sessions.reported("d", B)).isEmpty();
    }

    @Test
    void whatIsNoSessionIsIgnored() {
        for (String text :
                new String[] {"", "x", A + "0", "../../etc/passwd00", A.toUpperCase(java.util.Locale.ROOT)}) {
            sessions.reported("d", A);
            assertThat(sessions.reported("d", text)).isEmpty();
        }
    }
}
