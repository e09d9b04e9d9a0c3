package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** More keys than may wait, made up by somebody, each with a proof that holds. */
@Timeout(600)
class AdmissionFloodTest {
    private static final int MADE_UP = 1_500;

    @TempDir
    Path dir;

    private FleetDirectory directory = new FleetDirectory(Path.of(""));

    @BeforeEach
    void init() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        new FleetRepository(directory, Clock.systemUTC())
                .init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
    }

    private static Code asks(EnrolmentService service, SoftwareBridge bridge, String name) throws Exception {
        DeviceEnrolment mine = new DeviceEnrolment(bridge, name);
        byte[] challenge = service.begin(name, Binary.copyOf(mine.request()));
        try {
            service.complete(name, Binary.copyOf(mine.prove(challenge).orThrow()));
            return Code.ATT_NOT_ENROLLED; // never of enrolment: it was let in
        } catch (RejectedException e) {
            return e.rejection().code();
        }
    }

    private static long bytes(Path folder) throws Exception {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile)
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        }
    }

    private void makeUp(EnrolmentService service, int number) throws Exception {
        for (int i = 0; i < number; i++) {
            Path folder = dir.resolve("made-up");
            try (SoftwareBridge bridge = SoftwareBridge.open(folder)) {
                assertThat(asks(service, bridge, i % 2 == 0 ? "cam-7" : "made-up-" + i))
                        .isEqualTo(Code.ATT_PENDING);
            }
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    @Test
    @Tag("full")
    void aDeviceIsAcceptedByItsKeyWhileMoreAskThanMayWait() throws Exception {
        EnrolmentService service = new EnrolmentService(
                directory,
                EnrolmentPolicy.DEFAULT::withSoftware,
                DeviceCertificates.open(directory, "test", Clock.systemUTC()),
                Clock.systemUTC());
        try (SoftwareBridge genuine = SoftwareBridge.open(dir.resolve("genuine"))) {
            assertThat(asks(service, genuine, "cam-7")).isEqualTo(Code.ATT_PENDING);
            long before = bytes(directory.root());
            long began = System.nanoTime();
            makeUp(service, MADE_UP);
            Duration took = Duration.ofNanos(System.nanoTime() - began);
            System.out.println(MADE_UP + " made-up devices in " + took.toSeconds() + " s, the folder grew by "
                    + (bytes(directory.root()) - before) / 1024 + " KiB");
            assertThat(new PendingDevices(directory).list(Instant.now())).hasSize(PendingDevices.MOST);
            assertThat(bytes(directory.root()) - before).isLessThan(1 << 20);
            assertThat(directory.enrolled()).isEmpty();
            assertThat(directory.audit()).as("nobody did anything").doesNotExist();

            // It asks again by itself, and somebody accepts it by its key, listed or not.
            assertThat(asks(service, genuine, "cam-7")).isEqualTo(Code.ATT_PENDING);
            new AcceptedKeys(directory, Clock.systemUTC())
                    .decide(
                            new KeyLine(DeviceName.endorsement(genuine), Optional.of("cam-7"), Optional.empty(), false),
                            "accept");
            assertThat(asks(service, genuine, "cam-7")).isEqualTo(Code.ATT_NOT_ENROLLED);
            assertThat(directory.enrolled()).containsExactly("cam-7");
        }
    }
}
