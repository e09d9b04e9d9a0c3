package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device is forgotten, or comes with other keys; a thief who waits for that finds one door, open for one. */
class DeviceReplacementTest {
    private static final String DEVICE = "device-1";

    @TempDir
    Path dir;

    private Instant now = Instant.now();
    private FleetDirectory directory = new FleetDirectory(Path.of(""));
    private DeviceRecords records = new DeviceRecords(directory);

    @BeforeEach
    void init() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        records = new DeviceRecords(directory);
        new FleetRepository(directory, Clock.systemUTC())
                .init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
    }

    private Clock clock() {
        return Clock.fixed(now, ZoneOffset.UTC);
    }

    /** The record after {@code keys}, a TEE by name, were enrolled. */
    private EnrolledDevice enrol(String keys) throws Exception {
        EnrolmentService service = new EnrolmentService(
                directory,
                EnrolmentPolicy.DEFAULT::withSoftware,
                DeviceCertificates.open(directory, "test", clock()),
                clock());
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve(keys))) {
            new AcceptedKeys(directory, clock()).decide(KeyLine.accepting(DeviceName.endorsement(bridge)), "accept");
            DeviceEnrolment enrolment = new DeviceEnrolment(bridge, DEVICE);
            byte[] challenge = service.begin(DEVICE, Binary.copyOf(enrolment.request()));
            service.complete(DEVICE, Binary.copyOf(enrolment.prove(challenge).orThrow()));
            return records.read(DEVICE);
        }
    }

    private void assertRefused(String keys) {
        assertThatThrownBy(() -> enrol(keys))
                .hasMessageContaining("ATT-ENROL")
                .hasMessageContaining("fleet devices replace " + DEVICE);
    }

    private List<String> acts() throws Exception {
        List<String> acts = new ArrayList<>();
        for (String line : Files.readAllLines(directory.audit())) {
            acts.add(Json.read(line.getBytes(StandardCharsets.UTF_8), 4096)
                    .orThrow()
                    .path("act")
                    .asText());
        }
        acts.removeAll(List.of("accept", "enrolled"));
        return acts;
    }

    private byte[] certificate() throws Exception {
        return Files.readAllBytes(DeviceCertificates.file(directory, DEVICE, "tls"));
    }

    @Test
    void otherKeysComeOnceAndOnlyAfterSomebodySaidSo() throws Exception {
        EnrolledDevice before = enrol("old");
        byte[] certificate = certificate();
        assertRefused("new");
        records.replace(DEVICE, Optional.empty(), Duration.ofHours(1), clock());
        assertThat(enrol("old")).as("the old keys are good until others came").isEqualTo(before);
        EnrolledDevice after = enrol("new");
        assertThat(after.signer()).isNotEqualTo(before.signer());
        assertThat(certificate()).isNotEqualTo(certificate);
        assertRefused("old");
        assertRefused("thief");
        assertThat(records.read(DEVICE)).isEqualTo(after);
        assertThat(acts()).containsExactly("replace", "replaced");
    }

    @Test
    void keysOfAnotherTpmThanTheOneThatWasNamedAreRefused() throws Exception {
        enrol("old");
        Sha256 announced;
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("new"))) {
            announced = Sha256.of(dev.holdfast
                    .tee
                    .P256
                    .encode(bridge.signer().orElseThrow().publicKey())
                    .toArray());
        }
        records.replace(DEVICE, Optional.of(announced), Duration.ofHours(1), clock());
        assertRefused("thief");
        assertThat(enrol("new").endorsement()).isEqualTo(announced);
    }

    @Test
    void theDoorClosesByItself() throws Exception {
        enrol("old");
        records.replace(DEVICE, Optional.empty(), Duration.ofHours(1), clock());
        now = now.plus(Duration.ofHours(1));
        assertRefused("new");
    }

    @Test
    void onlyAnEnrolledDeviceCanBeReplaced() {
        assertThatThrownBy(() -> records.replace(DEVICE, Optional.empty(), Duration.ofHours(1), clock()))
                .hasMessageContaining("ATT-NOT-ENROLLED");
        assertThat(directory.audit()).doesNotExist();
    }

    @Test
    void nothingIsLeftOfAForgottenDeviceButTheNumberOfItsLastOrder() throws Exception {
        FleetRepository repository = new FleetRepository(directory, Clock.systemUTC());
        SampleRelease.sign(repository, "chat", "1.0.0", new byte[100]);
        DesiredModels.Wish wish = new DesiredModels.Wish("1.0.0", Optional.empty());
        EnrolledDevice before = enrol("old");
        for (int i = 0; i < 3; i++) {
            DesiredModels.add(repository, DEVICE, "chat", wish, true);
        }
        Files.writeString(directory.report(DEVICE), "{}");
        Files.writeString(directory.online(DEVICE), "1");
        records.replace(DEVICE, Optional.empty(), Duration.ofHours(1), clock());

        assertThat(records.forget(DEVICE, clock())).isTrue();
        assertThat(directory.enrolled()).isEmpty();
        assertThat(DesiredModels.read(directory, DEVICE)).isEmpty();
        try (var files = Files.walk(directory.root())) {
            assertThat(files.filter(file -> String.valueOf(file.getFileName()).startsWith(DEVICE))
                            .map(file -> directory.root().relativize(file).toString()))
                    .containsExactly("desired/device-1.json");
        }
        assertThatThrownBy(() -> records.read(DEVICE)).hasMessageContaining("ATT-NOT-ENROLLED");
        assertThatThrownBy(() -> records.forget(DEVICE, clock())).hasMessageContaining("FLT-ABSENT");

        assertThat(enrol("new").signer()).as("it enrols as a new one").isNotEqualTo(before.signer());
        assertThat(DesiredModels.add(repository, DEVICE, "chat", wish, true).counter())
                .as("a device that kept its state has seen order 3")
                .isEqualTo(4);
        assertThat(acts()).containsExactly("replace", "forget");
    }

    @Test
    void aDamagedRecordCanBeForgotten() throws Exception {
        enrol("old");
        Files.writeString(directory.device(DEVICE), "{");
        assertThat(records.forget(DEVICE, clock())).isTrue();
        assertThat(enrol("new").deviceId()).isEqualTo(DEVICE);
    }

    @Test
    void aLineThatThePowerCutOffSpoilsNoOther() throws Exception {
        enrol("old");
        records.replace(DEVICE, Optional.empty(), Duration.ofHours(1), clock());
        Files.writeString(directory.audit(), "{\"act\":\"cut", StandardOpenOption.APPEND);
        records.replace(DEVICE, Optional.empty(), Duration.ofHours(2), clock());
        List<String> lines = Files.readAllLines(directory.audit());
        // After the lines of the enrolment.
        assertThat(lines).hasSize(2 + 3);
        assertThat(lines.getLast())
                .startsWith("{\"at\":")
                .contains("\"act\":\"replace\"")
                .endsWith("}");
    }
}
