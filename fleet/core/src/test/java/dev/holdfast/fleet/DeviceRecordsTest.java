package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.PlatformLogs;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.DeviceMemory;
import dev.holdfast.attestation.verify.DeviceMemory.Floor;
import dev.holdfast.attestation.verify.DeviceTime;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.TrustVector;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two services, or two verifiers, on the records of one fleet. */
@Timeout(120)
class DeviceRecordsTest {
    @TempDir
    Path dir;

    private FleetDirectory directory;

    @BeforeEach
    void init() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        new FleetRepository(directory, Clock.systemUTC())
                .init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
    }

    @Test
    void twoServicesThatStartAtOnceHaveOneAuthority() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            EnrolledDevice device = enrol(service(), bridge, "device-0").orElseThrow();
            for (int round = 0; round < 5; round++) {
                Files.delete(directory.keys().resolve("device-ca.pem"));
                Callable<Binary> authority = () -> DeviceCertificates.open(directory, "test", Clock.systemUTC())
                        .issue(device)
                        .authority();
                List<Binary> both = Together.together(authority, authority);
                assertThat(both.getFirst()).isEqualTo(both.getLast());
            }
        }
    }

    /** Records of before somebody had to vouch for a device. */
    @Test
    void whoCameByFirstUseIsEmulatedUntilSomebodyVouchesForTheKey() throws Exception {
        EnrolledDevice device;
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            device = enrol(service(), bridge, "cam-7").orElseThrow();
        }
        DeviceRecords records = new DeviceRecords(directory);
        ObjectNode old = device.toJson().put("format", 2).put("assurance", "FIRMWARE");
        Files.write(directory.device("cam-7"), Json.write(old));
        EnrolledDevice read = records.read("cam-7");
        assertThat(read.assurance()).isEqualTo(Assurance.EMULATED);
        Appraisal refused = appraised(read);
        assertThat(refused.vector().value(TrustVector.Claim.HARDWARE)).isNotEqualTo(2);
        Appraisal.Check check = refused.checks().stream()
                .filter(one -> one.name().equals("assurance"))
                .findFirst()
                .orElseThrow();
        assertThat(check.detail())
                .contains(
                        "granted emulated, since it came by first use",
                        "fleet devices accept cam-7 --endorsement "
                                + device.endorsement().hex() + " --grants firmware");
        records.appraise("cam-7", this::appraised);
        assertThat(records.read("cam-7").firstUse())
                .as("and stays so when the record is written")
                .isTrue();
        assertThat(records.read("cam-7").assurance()).isEqualTo(Assurance.EMULATED);

        new AcceptedKeys(directory, Clock.systemUTC())
                .decide(
                        new KeyLine(device.endorsement(), Optional.empty(), Optional.of(Assurance.FIRMWARE), false),
                        "accept");
        assertThat(records.read("cam-7").assurance()).isEqualTo(Assurance.FIRMWARE);
        assertThat(records.read("cam-7").grantNote()).isEmpty();

        Files.delete(directory.root().resolve("accepted.csv"));
        Files.writeString(
                directory.root().resolve("enrolment.json"),
                "{\"format\":1, \"endorsementKeys\":{\"" + device.endorsement().hex() + "\":\"hardware\"}}");
        assertThat(records.read("cam-7").assurance()).isEqualTo(Assurance.HARDWARE);

        Files.delete(directory.root().resolve("enrolment.json"));
        Files.write(directory.device("cam-7"), Json.write(old.put("assurance", "HARDWARE")));
        assertThat(records.read("cam-7").assurance()).as("never by first use").isEqualTo(Assurance.HARDWARE);
        assertThat(EnrolledDevice.fromJson(old.put("assurance", "FIRMWARE"))
                        .orThrow()
                        .assurance())
                .as("of an archive: what counted then")
                .isEqualTo(Assurance.FIRMWARE);
    }

    private Appraisal appraised(EnrolledDevice device) {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"));
                EventLog log =
                        EventLog.open(dir.resolve("log"), bridge.register().orElseThrow())) {
            Binary nonce = Binary.copyOf(new byte[32]);
            byte[] evidence = new Attester(
                            bridge,
                            log,
                            new Attester.Surroundings(
                                    "holdfast", "0.1.0", Map::of, List::of, TreeMap::new, PlatformLogs.none()))
                    .attest(nonce);
            return EvidenceVerifier.verify(
                    evidence,
                    new EvidenceVerifier.Question(nonce, Optional.empty()),
                    device,
                    (target, digest) -> Optional.empty(),
                    AppraisalPolicy.atLeast(Assurance.FIRMWARE));
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private EnrolmentService service() throws Exception {
        Clock clock = Clock.systemUTC();
        return new EnrolmentService(
                directory,
                EnrolmentPolicy.DEFAULT::withSoftware,
                DeviceCertificates.open(directory, "test", clock),
                clock);
    }

    /** The device's record, where this one was let in. */
    private Optional<EnrolledDevice> enrol(EnrolmentService service, SoftwareBridge bridge, String device)
            throws Exception {
        new AcceptedKeys(directory, Clock.systemUTC())
                .decide(KeyLine.accepting(DeviceName.endorsement(bridge)), "accept");
        DeviceEnrolment enrolment = new DeviceEnrolment(bridge, device);
        byte[] challenge = service.begin(device, Binary.copyOf(enrolment.request()));
        try {
            service.complete(device, Binary.copyOf(enrolment.prove(challenge).orThrow()));
            return Optional.of(new DeviceRecords(directory).read(device));
        } catch (RejectedException e) {
            assertThat(e).hasMessageContaining("other keys");
            return Optional.empty();
        }
    }

    /** Two services on one directory, and somebody who enrols under the name of a device. */
    @Test
    void theKeysThatCameFirstStayWhicheverServiceIsAsked() throws Exception {
        EnrolmentService one = service();
        EnrolmentService two = service();
        for (int i = 0; i < 15; i++) {
            String device = "device-" + i;
            try (SoftwareBridge mine = SoftwareBridge.open(dir.resolve("tee-1-" + i));
                    SoftwareBridge theirs = SoftwareBridge.open(dir.resolve("tee-2-" + i))) {
                List<Optional<EnrolledDevice>> both =
                        Together.together(() -> enrol(one, mine, device), () -> enrol(two, theirs, device));
                assertThat(both).as(device).containsOnlyOnce(Optional.empty());
            }
        }
    }

    /** What evidence shows of a device's clock and floors. */
    private static Appraisal affirmed(long bootCount, long floor) {
        Appraisal.Sighting seen = new Appraisal.Sighting(
                new DeviceTime(bootCount, 0), new TreeMap<>(Map.of("intent", floor, "model-" + floor, floor)));
        return new Appraisal(
                Appraisal.Status.AFFIRMING,
                AppraisalPolicy.atLeast(Assurance.SOFTWARE),
                Assurance.SOFTWARE,
                List.of(),
                Optional.empty(),
                Optional.of(seen));
    }

    @Test
    void eachAppraisalSeesWhatTheOneBeforeItRemembered() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            enrol(service(), bridge, "device-1").orElseThrow();
            Callable<List<Long>> verifier = Together.times(
                    20,
                    () -> new DeviceRecords(directory)
                            .appraise("device-1", known -> affirmed(boots(known) + 1, 1))
                            .device()
                            .memory()
                            .newest()
                            .resetCount());
            assertThat(Together.together(verifier, verifier).stream().flatMap(List::stream))
                    .containsExactlyInAnyOrderElementsOf(
                            LongStream.range(0, 40).boxed().toList());
            assertThat(boots(new DeviceRecords(directory).read("device-1"))).isEqualTo(40);
        }
    }

    private static long boots(EnrolledDevice device) {
        return device.memory().newest().resetCount();
    }

    /** Two verifiers at once, one of which is late: what it saw is older and lower, and takes nothing away. */
    @Test
    void noFloorIsLostOrLoweredByAVerifierThatIsLate() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            enrol(service(), bridge, "device-1").orElseThrow();
            Iterator<Long> rising = LongStream.rangeClosed(1, 20).iterator();
            Iterator<Long> falling =
                    LongStream.iterate(20, floor -> floor - 1).limit(20).iterator();
            Callable<List<Long>> prompt = Together.times(20, () -> seen(rising.next()));
            Callable<List<Long>> late = Together.times(20, () -> seen(falling.next()));
            Together.together(prompt, late);
            DeviceMemory memory = new DeviceRecords(directory).read("device-1").memory();
            assertThat(memory.newest()).isEqualTo(new DeviceTime(20, 0));
            assertThat(memory.floors()).hasSize(21).containsEntry("intent", new Floor(20, new DeviceTime(20, 0)));
            // Enrolling again with the same keys does not forget.
            enrol(service(), bridge, "device-1").orElseThrow();
            assertThat(new DeviceRecords(directory).read("device-1").memory()).isEqualTo(memory);
        }
    }

    private long seen(long floor) throws Exception {
        new DeviceRecords(directory).appraise("device-1", known -> affirmed(floor, floor));
        return floor;
    }
}
