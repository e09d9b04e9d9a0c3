package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.link.Topics;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** When certificates that could not be had are asked for again. */
class EnrolmentPaceTest {
    @TempDir
    Path dir;

    private Instant now = Instant.parse("2036-01-01T00:00:00Z");
    private long nanos;

    /** Of a device without a battery, say, until it hears what time it is. */
    @Test
    void aClockThatIsCorrectedFromTheFutureHoldsUpNoRenewal() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            Binary key = Binary.copyOf(bridge.signer().orElseThrow().publicKey().getEncoded());
            CertificateStore certificates = CertificateStore.open(dir.resolve("certificates"), key, true, () -> now);
            // No link: each attempt fails at once.
            FleetClient fleet = new FleetClient(new Topics("fleet", "device-1"));
            Enrolment enrolment = new Enrolment(
                    bridge, "device-1", Optional.empty(), fleet, certificates, () -> now, new Random(1), () -> nanos);

            assertThat(enrolment.renew(Set.of())).map(Rejection::code).hasValue(Code.LNK_DOWN);
            assertThat(enrolment.renew(Set.of())).as("not at once").isEmpty();
            now = Instant.parse("2026-01-01T00:00:00Z");
            assertThat(enrolment.again().orElseThrow()).isLessThanOrEqualTo(Duration.ofMinutes(1));

            nanos += Duration.ofMinutes(1).toNanos();
            assertThat(enrolment.again()).hasValue(Duration.ZERO);
            assertThat(enrolment.renew(Set.of())).map(Rejection::code).hasValue(Code.LNK_DOWN);
        }
    }
}
