package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.DeviceCertificate;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a device believes of the certificates that come in answer to its enrolment, whoever sent them. */
class IssuedCertificatesTest {
    @TempDir
    Path dir;

    private final Instant now = Instant.now();
    private FleetDirectory directory;
    private SoftwareBridge bridge;

    @BeforeEach
    void init() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        new FleetRepository(directory, Clock.systemUTC())
                .init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        bridge = SoftwareBridge.open(dir.resolve("tee"));
    }

    @AfterEach
    void close() {
        bridge.close();
    }

    private EnrolmentService service() throws Exception {
        Clock clock = Clock.systemUTC();
        return new EnrolmentService(
                directory,
                EnrolmentPolicy.DEFAULT::withSoftware,
                DeviceCertificates.open(directory, "test", clock),
                clock);
    }

    private static <T> T accepted(Verdict<T> verdict) {
        return switch (verdict) {
            case Verdict.Accepted<T>(T value) -> value;
            case Verdict.Rejected<T>(var reason) -> throw new AssertionError(reason.toString());
        };
    }

    private DeviceEnrolment.Issued enrol(EnrolmentService service) throws Exception {
        new AcceptedKeys(directory, Clock.systemUTC())
                .decide(KeyLine.accepting(DeviceName.endorsement(bridge)), "accept");
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        byte[] challenge = service.begin("device-1", Binary.copyOf(mine.request()));
        byte[] welcome = service.complete("device-1", Binary.copyOf(accepted(mine.prove(challenge))));
        return accepted(mine.complete(welcome, named(), now));
    }

    private static byte[] signed(Binary der) throws Exception {
        return ((X509Certificate) CertificateFactory.getInstance("X.509")
                        .generateCertificate(new ByteArrayInputStream(der.toArray())))
                .getTBSCertificate();
    }

    private static byte[] changed(byte[] good, Random random) {
        byte[] odd = good.clone();
        for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
            odd[random.nextInt(odd.length)] ^= (byte) (1 << random.nextInt(8));
        }
        return odd;
    }

    /** The factory root names the authority, so a device need not believe whoever answers first. */
    private Set<Sha256> named() throws Exception {
        Set<Sha256> named = RootDocument.parse(Files.readAllBytes(directory.metadata("1.root.json")))
                .deviceAuthorities();
        assertThat(named).hasSize(1);
        return named;
    }

    /** Somebody who reaches the answer topic, with an authority of their own. */
    @Test
    void certificatesOfAnotherAuthorityAreRefusedByTheDevice() throws Exception {
        DeviceEnrolment.Issued genuine = enrol(service());
        FleetDirectory elsewhere = new FleetDirectory(dir.resolve("elsewhere"));
        new FleetRepository(elsewhere, Clock.systemUTC())
                .init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        DeviceCertificates attacker = DeviceCertificates.open(elsewhere, "test", Clock.systemUTC());
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        DeviceEnrolment.Issued forged = attacker.issue(new DeviceRecords(directory).read("device-1"));
        byte[] whole = EnrolmentAuthority.welcome(forged);
        assertCertificateRefused(mine.complete(whole, named(), now), "is not");
        // The genuine authority beside certificates that it did not sign.
        assertCertificateRefused(
                mine.complete(
                        EnrolmentAuthority.welcome(
                                new DeviceEnrolment.Issued(forged.attestation(), forged.tls(), genuine.authority())),
                        named(),
                        now),
                "authority");
        assertCertificateRefused(
                mine.complete(
                        EnrolmentAuthority.welcome(
                                new DeviceEnrolment.Issued(forged.attestation(), genuine.tls(), genuine.authority())),
                        named(),
                        now),
                "attestation");
        // With nobody named whoever comes first is believed, and then nobody else.
        Sha256 first = DeviceCertificate.of(forged.tls(), forged.authority()).authorityKey();
        assertThat(accepted(mine.complete(whole, Set.of(), now))).isEqualTo(forged);
        assertThat(accepted(mine.complete(whole, Set.of(first), now))).isEqualTo(forged);
        assertCertificateRefused(mine.complete(EnrolmentAuthority.welcome(genuine), Set.of(first), now), "is not");
    }

    @Test
    void certificatesForOthersOrOfOtherTimesAreRefusedByTheDevice() throws Exception {
        EnrolmentService service = service();
        DeviceEnrolment.Issued genuine = enrol(service);
        byte[] welcome = EnrolmentAuthority.welcome(genuine);
        assertCertificateRefused(
                new DeviceEnrolment(bridge, "device-2").complete(welcome, named(), now), "another key or device");
        try (SoftwareBridge other = SoftwareBridge.open(dir.resolve("other"))) {
            assertCertificateRefused(
                    new DeviceEnrolment(other, "device-1").complete(welcome, named(), now), "another key or device");
        }
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        assertCertificateRefused(mine.complete(welcome, named(), now.plus(Duration.ofDays(366))), "clock");
        assertCertificateRefused(mine.complete(welcome, named(), now.minus(Duration.ofDays(1))), "clock");
        assertCertificateRefused(mine.complete(new byte[0], named(), now), "no certificates");
        // The attestation key's certificate is none of a TLS client, nor is the authority's own.
        for (Binary wrong : List.of(genuine.attestation(), genuine.authority(), Binary.copyOf(new byte[9]))) {
            assertCertificateRefused(
                    mine.complete(
                            EnrolmentAuthority.welcome(
                                    new DeviceEnrolment.Issued(genuine.attestation(), wrong, genuine.authority())),
                            named(),
                            now),
                    "TLS certificate");
            assertThat(mine.complete(
                                    EnrolmentAuthority.welcome(new DeviceEnrolment.Issued(
                                            genuine.attestation(), genuine.tls(), genuine.tls())),
                                    named(),
                                    now)
                            .isAccepted())
                    .isFalse();
        }
    }

    @Test
    void changedCertificatesNeverThrowAndAreRefusedWhereTheySayAnythingElse() throws Exception {
        DeviceEnrolment.Issued genuine = enrol(service());
        byte[] welcome = EnrolmentAuthority.welcome(genuine);
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        Random random = new Random(17);
        for (int i = 0; i < 800; i++) {
            byte[] odd = changed(welcome, random);
            if (mine.complete(odd, named(), now) instanceof Verdict.Accepted<DeviceEnrolment.Issued>(var issued)) {
                // Not all around what is signed is signed.
                assertThat(signed(issued.tls())).isEqualTo(signed(genuine.tls()));
                assertThat(signed(issued.attestation())).isEqualTo(signed(genuine.attestation()));
            }
        }
    }

    /** An older fleet names its authority in its next root. */
    @Test
    void theNextRootNamesTheAuthorityThatTheFleetHas() throws Exception {
        Files.delete(directory.keys().resolve("device-ca.pem"));
        Sha256 fresh =
                DeviceCertificates.open(directory, "test", Clock.systemUTC()).authorityKey();
        assertThat(named()).doesNotContain(fresh);
        byte[] draft = new RootFolder(directory).draft(List.of(), now);
        assertThat(RootDocument.parse(draft).deviceAuthorities()).containsExactly(fresh);
    }

    private static void assertCertificateRefused(Verdict<?> verdict, String why) {
        assertThat(verdict).isInstanceOfSatisfying(Verdict.Rejected.class, rejected -> {
            assertThat(rejected.reason().code()).isEqualTo(Code.ATT_CERTIFICATE);
            assertThat(rejected.reason().detail()).contains(why);
        });
    }
}
