package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which certificate is offered, when another is fetched, and whose is believed. */
class CertificateStoreTest {
    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    @TempDir
    Path dir;

    private final TestAuthority fleet = new TestAuthority(START.minusSeconds(3600));
    private SoftwareBridge bridge;
    private Instant now = START;

    @BeforeEach
    void open() throws Exception {
        bridge = SoftwareBridge.open(dir.resolve("tee"));
    }

    @AfterEach
    void close() {
        bridge.close();
    }

    private CertificateStore store(boolean tls) throws Exception {
        Binary key = Binary.copyOf(bridge.signer().orElseThrow().publicKey().getEncoded());
        return CertificateStore.open(dir.resolve("certificates"), key, tls, () -> now);
    }

    private DeviceEnrolment.Issued issued() throws Exception {
        return fleet.issue("device-1", bridge, now);
    }

    private String offered(CertificateStore store) {
        return String.valueOf(store.offered().getFileName());
    }

    private String state(CertificateStore store) {
        return store.status(Set.of(fleet.key())).path("state").asText();
    }

    @Test
    void theFirstCertificateIsTakenAtOnce() throws Exception {
        CertificateStore store = store(true);
        assertThat(store.isDue(Set.of())).isTrue();
        assertThat(state(store)).isEqualTo("none");
        store.keep(issued());
        assertThat(offered(store)).isEqualTo("tls.crt");
        assertThat(state(store)).isEqualTo("valid");
        assertThat(store.isDue(Set.of(fleet.key()))).isFalse();
        assertThat(state(store(true))).as("after a restart").isEqualTo("valid");
        assertThat(Files.readString(dir.resolve("certificates/tls.crt")))
                .as("the authority comes with it, in one file")
                .endsWith(Files.readString(dir.resolve("certificates/authority.crt")));
    }

    @Test
    void aRenewedOneTakesThePlaceOfTheOldOneOnceItHasConnected() throws Exception {
        CertificateStore store = store(true);
        store.keep(issued());
        String old = Files.readString(dir.resolve("certificates/tls.crt"));
        now = now.plus(Duration.ofDays(70));
        assertThat(store.isDue(Set.of())).isTrue();
        store.keep(issued());
        assertThat(store.isDue(Set.of())).isFalse();
        assertThat(offered(store)).isEqualTo("tls.next.crt");
        assertThat(offered(store)).as("the one before did not connect").isEqualTo("tls.crt");
        store.connected();
        assertThat(Files.readString(dir.resolve("certificates/tls.crt"))).isEqualTo(old);
        CertificateStore again = store(true);
        assertThat(offered(again)).isEqualTo("tls.next.crt");
        again.connected();
        assertThat(Files.readString(dir.resolve("certificates/tls.crt"))).isNotEqualTo(old);
        assertThat(offered(again)).isEqualTo("tls.crt");
        assertThat(dir.resolve("certificates/tls.next.crt")).doesNotExist();
    }

    @Test
    void anExpiredOneIsReplacedAtOnceAndSoIsOneThatNoBrokerSees() throws Exception {
        CertificateStore store = store(true);
        store.keep(issued());
        now = now.plus(Duration.ofDays(91));
        assertThat(state(store)).isEqualTo("expired");
        store.keep(issued());
        assertThat(state(store)).isEqualTo("valid");
        CertificateStore plain = store(false);
        now = now.plus(Duration.ofDays(70));
        plain.keep(issued());
        assertThat(offered(plain)).isEqualTo("tls.crt");
        assertThat(plain.isDue(Set.of())).isFalse();
    }

    @Test
    void itIsRenewedInTheLastThirdOfItsLifeAndNotByAllDevicesInOneHour() throws Exception {
        CertificateStore store = store(true);
        store.keep(issued());
        Instant renewal =
                Instant.parse(store.status(Set.of()).path("renewAfter").asText());
        assertThat(renewal)
                .isBetween(
                        START.plus(Duration.ofDays(60)),
                        START.plus(Duration.ofDays(63)).plusSeconds(1));
        now = renewal.minusSeconds(1);
        assertThat(store.isDue(Set.of())).isFalse();
        now = renewal;
        assertThat(store.isDue(Set.of())).isTrue();
        now = START;
        Set<Instant> times = new java.util.HashSet<>();
        for (int i = 0; i < 20; i++) {
            CertificateStore other = CertificateStore.open(
                    dir.resolve("other-" + i),
                    Binary.copyOf(bridge.signer().orElseThrow().publicKey().getEncoded()),
                    true,
                    () -> now);
            other.keep(issued());
            times.add(Instant.parse(other.status(Set.of()).path("renewAfter").asText()));
        }
        assertThat(times).hasSizeGreaterThan(10);
    }

    @Test
    void whoeverIssuedFirstIsBelievedWhereTheRootNamesNobody() throws Exception {
        CertificateStore store = store(true);
        assertThat(store.trusted(Set.of())).isEmpty();
        store.keep(issued());
        assertThat(store.trusted(Set.of())).containsExactly(fleet.key());
        TestAuthority other = new TestAuthority(START);
        assertThat(store.trusted(Set.of(other.key()))).containsExactly(other.key());
        assertThat(store.isDue(Set.of(other.key())))
                .as("a root that names another makes the old one due")
                .isTrue();
        assertThat(store.status(Set.of(other.key())).path("state").asText()).isEqualTo("another-authority");
        assertThat(CertificateFinding.of(store.status(Set.of())).detail()).contains("first use");
    }

    @Test
    void theFilesOfEarlierAgentsAreRead() throws Exception {
        DeviceEnrolment.Issued issued = issued();
        Path folder = Files.createDirectories(dir.resolve("certificates"));
        Files.writeString(
                folder.resolve("tls.crt"),
                TestAuthority.pem("CERTIFICATE", issued.tls().toArray()));
        Files.writeString(
                folder.resolve("authority.crt"),
                TestAuthority.pem("CERTIFICATE", issued.authority().toArray()));
        CertificateStore store = store(true);
        assertThat(state(store)).isEqualTo("valid");
        assertThat(store.trusted(Set.of())).containsExactly(fleet.key());
    }

    @Test
    void filesThatDoNotReadOrAreForAnotherKeyDoNotCount() throws Exception {
        CertificateStore store = store(true);
        store.keep(issued());
        Files.writeString(
                dir.resolve("certificates/tls.crt"), "-----BEGIN CERTIFICATE-----\n=A\n-----END CERTIFICATE-----");
        assertThat(state(store(true))).isEqualTo("none");
        try (SoftwareBridge other = SoftwareBridge.open(dir.resolve("other-tee"))) {
            store.keep(fleet.issue("device-1", other, now));
            store.connected();
        }
        assertThat(store(true).isDue(Set.of())).isTrue();
    }
}
