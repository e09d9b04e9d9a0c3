package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.PlatformLogs;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.fleet.cli.FleetCommand;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.trust.release.AuthorityId;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Enrolment, the certificates that come of it, and the verifying command on what an enrolled device says. */
class EnrolmentServiceTest {
    private static final String NONCE = "00112233445566778899aabbccddeeff";

    @TempDir
    Path dir;

    private FleetDirectory directory;
    private FleetRepository repository;
    private SoftwareBridge bridge;
    private Instant now = Instant.now();

    @BeforeEach
    void init() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        repository = new FleetRepository(directory, Clock.systemUTC());
        repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        bridge = SoftwareBridge.open(dir.resolve("tee"));
    }

    @AfterEach
    void close() {
        bridge.close();
    }

    private long nanos;

    private EnrolmentService service() throws Exception {
        Clock clock = new Clock() {
            @Override
            public ZoneOffset getZone() {
                return ZoneOffset.UTC;
            }

            @Override
            public Clock withZone(java.time.ZoneId zone) {
                return this;
            }

            @Override
            public Instant instant() {
                return now;
            }
        };
        return new EnrolmentService(
                directory,
                EnrolmentPolicy.DEFAULT::withSoftware,
                DeviceCertificates.open(directory, "test", clock),
                new PendingDevices(directory),
                clock,
                () -> nanos);
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
        return accepted(mine.complete(welcome, Set.of(), now));
    }

    private static X509Certificate certificate(Binary der) throws Exception {
        return (X509Certificate)
                CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der.toArray()));
    }

    /** By the JDK's own validator, not by the library that issued them. */
    @Test
    void issuesCertificatesThatTheJdkValidates() throws Exception {
        DeviceEnrolment.Issued issued = enrol(service());
        X509Certificate authority = certificate(issued.authority());
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(authority, null)));
        parameters.setRevocationEnabled(false);
        X509Certificate tls = certificate(issued.tls());
        X509Certificate attestation = certificate(issued.attestation());
        for (X509Certificate one : List.of(tls, attestation)) {
            CertPathValidator.getInstance("PKIX")
                    .validate(CertificateFactory.getInstance("X.509").generateCertPath(List.of(one)), parameters);
            assertThat(one.getSubjectX500Principal().getName()).isEqualTo("CN=device-1");
        }
        assertThat(tls.getPublicKey()).isEqualTo(bridge.signer().orElseThrow().publicKey());
        assertThat(tls.getExtendedKeyUsage()).containsExactly("1.3.6.1.5.5.7.3.2");
        assertThat(attestation.getPublicKey())
                .isEqualTo(bridge.quoter().orElseThrow().attestationKey());
        assertThat(attestation.getExtendedKeyUsage()).containsExactly("2.23.133.8.3");
        assertThat(PosixFilePermissions.toString(
                        Files.getPosixFilePermissions(directory.keys().resolve("device-ca.pem"))))
                .isEqualTo("rw-------");
    }

    @Test
    void enrollingTwiceChangesNothing() throws Exception {
        EnrolmentService service = service();
        DeviceEnrolment.Issued first = enrol(service);
        byte[] record = Files.readAllBytes(directory.device("device-1"));
        assertThat(enrol(service)).isEqualTo(first);
        assertThat(enrol(service())).isEqualTo(first);
        assertThat(Files.readAllBytes(directory.device("device-1"))).isEqualTo(record);
    }

    @Test
    void renewsCertificatesInTheirLastThird() throws Exception {
        DeviceEnrolment.Issued first = enrol(service());
        now = now.plus(Duration.ofDays(200));
        assertThat(enrol(service())).isEqualTo(first);
        now = now.plus(Duration.ofDays(60));
        DeviceEnrolment.Issued renewed = enrol(service());
        assertThat(renewed.tls()).isNotEqualTo(first.tls());
        assertThat(renewed.authority()).isEqualTo(first.authority());
    }

    private static void assertRefused(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.rejection().code()).isEqualTo(Code.ATT_ENROL));
    }

    @Test
    void aReplayedEnrolmentIsRefused() throws Exception {
        EnrolmentService service = service();
        enrol(service);
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        Binary request = Binary.copyOf(mine.request());
        byte[] challenge = service.begin("device-1", request);
        Binary proof = Binary.copyOf(accepted(mine.prove(challenge)));
        service.complete("device-1", proof);
        assertRefused(() -> service.complete("device-1", proof));
        // The recorded request is good for a fresh challenge only, which the recorded proof does not answer.
        byte[] fresh = service.begin("device-1", request);
        assertThat(fresh).isNotEqualTo(challenge);
        assertRefused(() -> service.complete("device-1", proof));
        assertRefused(() -> service.begin("device-2", request));
    }

    @Test
    void aProofThatComesTooLateIsRefused() throws Exception {
        EnrolmentService service = service();
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        byte[] challenge = service.begin("device-1", Binary.copyOf(mine.request()));
        nanos += Duration.ofMinutes(6).toNanos();
        assertRefused(() -> service.complete("device-1", Binary.copyOf(accepted(mine.prove(challenge)))));
    }

    @Test
    void anotherDeviceCannotTakeTheName() throws Exception {
        EnrolmentService service = service();
        enrol(service);
        try (SoftwareBridge thief = SoftwareBridge.open(dir.resolve("thief"))) {
            DeviceEnrolment theirs = new DeviceEnrolment(thief, "device-1");
            byte[] challenge = service.begin("device-1", Binary.copyOf(theirs.request()));
            assertRefused(() -> service.complete("device-1", Binary.copyOf(accepted(theirs.prove(challenge)))));
        }
    }

    // --- fleet verify ---

    private Path policy(String more) throws Exception {
        Path file = dir.resolve("policy.json");
        Files.writeString(file, "{\"format\":1, \"id\":\"test\", \"fleet\":\"fleet\"," + more + "}");
        return file;
    }

    private Path evidence() throws Exception {
        SampleRelease.sign(repository, "tiny", "1.0.0", new byte[50_000]);
        ModelTarget target = repository.release("tiny", "1.0.0").model();
        ModelEvent event = new ModelEvent(
                ModelEvent.Kind.SERVE,
                target.model(),
                target.version(),
                target.file().sha256(),
                AuthorityId.of(anchorKeyId()),
                target.file().path(),
                target.release(),
                target.epoch(),
                CanonicalJson.digest(target.template()),
                CanonicalJson.digest(target.gate()),
                Optional.empty());
        try (EventLog log = EventLog.open(dir.resolve("log"), bridge.register().orElseThrow())) {
            Attester attester = new Attester(
                    bridge,
                    log,
                    new Attester.Surroundings(
                            "holdfast", "0.1.0", Map::of, () -> List.of(event), TreeMap::new, PlatformLogs.none()));
            return Files.write(
                    dir.resolve("evidence.cbor"),
                    attester.attest(Binary.fromHex(NONCE).orThrow()));
        }
    }

    /** The one of the targets' keys that a TEE can check. */
    private String anchorKeyId() throws Exception {
        return RootDocument.parse(Files.readAllBytes(directory.metadata("1.root.json")))
                .role("targets")
                .keys()
                .entrySet()
                .stream()
                .filter(key -> key.getValue().kind() == KeyKind.ECDSA_P256)
                .map(Map.Entry::getKey)
                .findFirst()
                .orElseThrow();
    }

    private record Result(int status, String out, String err) {}

    private static Result verify(Path evidence, String nonce, Path policy, String... more) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> arguments = new java.util.ArrayList<>(
                List.of("verify", evidence.toString(), "--nonce", nonce, "--policy", policy.toString(), "--json"));
        arguments.addAll(List.of(more));
        int status = FleetCommand.run(
                new PrintWriter(out, true), new PrintWriter(err, true), arguments.toArray(String[]::new));
        return new Result(status, out.toString(), err.toString());
    }

    @Test
    void verifiesByNothingButEvidenceNonceAndPolicy() throws Exception {
        enrol(service());
        Path evidence = evidence();
        Result good = verify(evidence, NONCE, policy("\"minAssurance\":\"software\", \"models\":[\"tiny\"]"));
        assertThat(good.status()).as(good.out() + good.err()).isZero();
        var ear = Json.readObject(good.out().getBytes(StandardCharsets.UTF_8), 1 << 20)
                .orThrow()
                .path("submods")
                .path("holdfast");
        assertThat(ear.path("ear.status").asText()).isEqualTo("affirming");
        assertThat(ear.path("ear.appraisal-policy-id").asText()).isEqualTo("test");

        Result other = verify(evidence, "ff" + NONCE.substring(2), policy("\"minAssurance\":\"software\""));
        assertThat(other.status()).isEqualTo(1);
        assertThat(other.err()).startsWith("ATT-NONCE");
        Result weak = verify(evidence, NONCE, policy("\"minAssurance\":\"hardware\""));
        assertThat(weak.status()).isEqualTo(1);
        assertThat(weak.out()).contains("\"status\":\"contraindicated\"");
    }

    @Test
    void aFreshnessWindowNeedsTheTimeOfTheChallenge() throws Exception {
        enrol(service());
        Path evidence = evidence();
        Path policy = policy("\"minAssurance\":\"software\", \"freshnessSeconds\":60");
        assertThat(verify(evidence, NONCE, policy).err()).startsWith("ATT-FRESHNESS");
        assertThat(verify(evidence, NONCE, policy, "--issued", Instant.now().toString())
                        .status())
                .isZero();
        assertThat(verify(evidence, NONCE, policy, "--issued", "2026-01-01T00:00:00Z")
                        .err())
                .startsWith("ATT-FRESHNESS");
    }

    @Test
    void evidenceOfADeviceThatIsNotEnrolledIsRefused() throws Exception {
        assertThat(verify(evidence(), NONCE, policy("\"minAssurance\":\"software\""))
                        .err())
                .startsWith("ATT-NOT-ENROLLED");
        Path junk = Files.write(dir.resolve("junk"), new byte[] {1, 2, 3});
        assertThat(verify(junk, NONCE, policy("\"minAssurance\":\"software\"")).err())
                .isNotEmpty()
                .doesNotContain("Exception");
        assertThat(verify(junk, NONCE, policy("\"minAsurance\":\"software\"")).err())
                .startsWith("CFG-INVALID");
    }
}
