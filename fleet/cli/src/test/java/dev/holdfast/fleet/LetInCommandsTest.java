package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.attestation.EnrolmentToken;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.fleet.cli.FleetCommand;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code fleet devices pending, accept, reject, import, token}, and what the service makes of each. */
class LetInCommandsTest {
    @TempDir
    Path dir;

    private FleetDirectory directory = new FleetDirectory(Path.of(""));
    private SoftwareBridge cam;
    private SoftwareBridge other;
    private String output = "";
    private String errors = "";

    @BeforeEach
    void init() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        new FleetRepository(directory, Clock.systemUTC()).init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1"));
        cam = SoftwareBridge.open(dir.resolve("cam"));
        other = SoftwareBridge.open(dir.resolve("other"));
    }

    @AfterEach
    void close() {
        cam.close();
        other.close();
    }

    private int devices(String... arguments) {
        List<String> all = new ArrayList<>(List.of("devices"));
        all.addAll(List.of(arguments));
        all.addAll(List.of("--dir", directory.root().toString()));
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int status =
                FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), all.toArray(String[]::new));
        output = out.toString();
        errors = err.toString();
        return status;
    }

    private JsonNode json() throws Exception {
        return Json.read(output.getBytes(StandardCharsets.UTF_8), 1 << 20).orThrow();
    }

    /** What the device is told; {@code in} where it is let in. */
    private String asks(SoftwareBridge bridge, String name, Optional<EnrolmentToken> token) throws Exception {
        EnrolmentService service = new EnrolmentService(
                directory,
                EnrolmentPolicy.DEFAULT::withSoftware,
                DeviceCertificates.open(directory, "test", Clock.systemUTC()),
                Clock.systemUTC());
        DeviceEnrolment mine = new DeviceEnrolment(bridge, name);
        byte[] challenge = service.begin(name, Binary.copyOf(mine.request()));
        try {
            service.complete(name, Binary.copyOf(mine.prove(challenge, token).orThrow()));
            return "in";
        } catch (RejectedException e) {
            return e.rejection().toString();
        }
    }

    private String asks(SoftwareBridge bridge, String name) throws Exception {
        return asks(bridge, name, Optional.empty());
    }

    @Test
    void whoWaitsIsListedByNameAndKeyAndLetIn() throws Exception {
        assertThat(devices("pending")).isZero();
        assertThat(output).isEqualTo("no device waits to be let in\n");
        assertThat(asks(cam, "cam-7")).startsWith("ATT-PENDING");
        String key = DeviceName.endorsement(cam).hex();
        assertThat(devices("pending")).isZero();
        assertThat(output).contains("cam-7", key, "software", "the device has no TPM", "fleet devices accept");
        assertThat(devices("pending", "--json")).isZero();
        assertThat(json().at("/0/endorsement").asText()).isEqualTo(key);
        assertThat(devices()).isZero();
        assertThat(output).contains("1 device waits to be let in");

        assertThat(devices("accept", "--no-hint", "cam-8")).isEqualTo(1);
        assertThat(errors).startsWith("FLT-ABSENT").contains("cam-8 waits");
        assertThat(devices("accept", "--no-hint", "cam-7")).as(errors).isZero();
        assertThat(output).startsWith("accepted cam-7, key " + key);
        assertThat(asks(cam, "cam-7")).isEqualTo("in");
        assertThat(devices("pending")).isZero();
        assertThat(output).startsWith("no device");
        assertThat(Files.readString(directory.audit())).contains("\"act\":\"accept\"", "\"letInBy\":\"accepted\"");
    }

    /** Without a broker the device asks by itself, and the operator hears that no hint went out. */
    @Test
    void aHintThatCannotBeSentIsAWarning() throws Exception {
        asks(cam, "cam-7");
        assertThat(devices("accept", "cam-7")).isZero();
        assertThat(errors).startsWith("warning: no hint was sent");
        assertThat(asks(cam, "cam-7")).isEqualTo("in");
    }

    @Test
    void whereTwoKeysAskForOneNameAPersonSaysWhich() throws Exception {
        asks(cam, "cam-7");
        asks(other, "cam-7");
        assertThat(devices("accept", "--no-hint", "cam-7")).isEqualTo(1);
        String key = DeviceName.endorsement(cam).hex();
        assertThat(errors).startsWith("CFG-INVALID").contains("2 keys wait", "--endorsement", key);
        assertThat(devices("accept", "--no-hint", "cam-7", "--endorsement", key))
                .isZero();
        assertThat(asks(other, "cam-7")).startsWith("ATT-ENROL").contains("kept for another key");
        assertThat(asks(cam, "cam-7")).isEqualTo("in");
        assertThat(devices(
                        "accept",
                        "--no-hint",
                        "cam-7",
                        "--endorsement",
                        DeviceName.endorsement(other).hex()))
                .isEqualTo(1);
        assertThat(errors).contains("fleet devices replace cam-7");
    }

    @Test
    void moreThanEmulatedIsGrantedToAKeyThatSomebodyTypes() throws Exception {
        asks(cam, "cam-7");
        assertThat(devices("accept", "--no-hint", "cam-7", "--grants", "hardware"))
                .isEqualTo(2);
        String key = DeviceName.endorsement(cam).hex();
        assertThat(devices("accept", "--endorsement", key, "--grants", "software"))
                .isEqualTo(1);
        assertThat(devices("accept", "--endorsement", "12", "--grants", "firmware"))
                .isEqualTo(1);
        assertThat(errors).startsWith("CFG-INVALID").contains("64 hexadecimal digits");
        assertThat(devices("accept", "--no-hint", "--endorsement", key, "--grants", "Hardware"))
                .isZero();
        assertThat(Files.readString(directory.root().resolve("accepted.csv"))).contains(key + ",,hardware");
    }

    @Test
    void whoIsRejectedStaysOutUntilHeIsAccepted() throws Exception {
        asks(cam, "cam-7");
        assertThat(devices("reject", "cam-7")).as(errors).isZero();
        assertThat(asks(cam, "cam-7")).startsWith("ATT-ENROL").contains("rejected");
        assertThat(devices("reject", "cam-9")).isEqualTo(1);
        String key = DeviceName.endorsement(cam).hex();
        assertThat(devices("accept", "--endorsement", key)).isZero();
        assertThat(asks(cam, "cam-7")).isEqualTo("in");
        assertThat(devices("reject", "cam-7")).isZero();
        assertThat(output).contains("fleet devices forget cam-7");
        asks(other, "cam-8");
        assertThat(devices("reject", "--all")).isZero();
        assertThat(output).isEqualTo("no longer listed: 1\n");
        assertThat(asks(other, "cam-8")).startsWith("ATT-PENDING");
        assertThat(devices("reject")).isEqualTo(2);
    }

    @Test
    void aListIsTakenWholeOrToldLineByLine() throws Exception {
        Path list = dir.resolve("keys.csv");
        Files.writeString(
                list, "endorsement,name,grants\n" + DeviceName.endorsement(cam) + ",cam-7\nnonsense,,\n\n,,\n");
        assertThat(devices("import", list.toString())).isEqualTo(1);
        assertThat(errors)
                .contains(list + ":3: CFG-INVALID: \"nonsense\"")
                .contains(list + ":5: CFG-INVALID")
                .contains("nothing was imported");
        assertThat(asks(cam, "cam-7")).startsWith("ATT-PENDING");
        Files.writeString(list, DeviceName.endorsement(cam) + ",cam-7\n" + DeviceName.endorsement(other) + ",,\n");
        assertThat(devices("import", "--no-hint", list.toString())).as(errors).isZero();
        assertThat(output).isEqualTo("keys in the list: 2; new or changed: 2\n");
        assertThat(asks(cam, "cam-7")).isEqualTo("in");
        assertThat(asks(other, "whatever")).isEqualTo("in");
        assertThat(devices("import", "--no-hint", list.toString())).isZero();
        assertThat(output).isEqualTo("keys in the list: 2; new or changed: 0\n");
        assertThat(devices("import", dir.resolve("none.csv").toString())).isNotZero();
    }

    @Test
    void aTokenIsMadeListedCountedAndTakenBack() throws Exception {
        Path file = dir.resolve("enrolment.token");
        assertThat(devices("token", "--out", file.toString(), "--uses", "3", "--days", "2"))
                .as(errors)
                .isZero();
        EnrolmentToken token = EnrolmentToken.read(file).orThrow();
        assertThat(output)
                .contains(token.id(), "3 devices")
                .doesNotContain(token.secret().hex());
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        assertThat(devices("token", "--out", file.toString())).isEqualTo(1);
        assertThat(errors).startsWith("FLT-EXISTS");
        assertThat(asks(cam, "cam-7", Optional.of(token))).isEqualTo("in");
        assertThat(devices("token", "--json")).isZero();
        assertThat(json().at("/0/used").asInt()).isEqualTo(1);
        assertThat(json().at("/0/state").asText()).isEqualTo("good");
        assertThat(devices("token", "--revoke", token.id())).isZero();
        assertThat(asks(other, "cam-8", Optional.of(token))).startsWith("ATT-PENDING");
        assertThat(devices("token", "--revoke", "../../x")).isEqualTo(1);
        assertThat(devices("token", "--out", file + "2", "--uses", "0")).isEqualTo(1);
        assertThat(Path.of(file + "2")).doesNotExist();
        assertThat(devices("token", "--uses", "2")).isEqualTo(2);
    }
}
