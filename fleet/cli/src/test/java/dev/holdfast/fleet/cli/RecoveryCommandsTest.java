package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.SampleRelease;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an operator types when a device or the fleet itself was lost, and what every message says to type next. */
class RecoveryCommandsTest {
    @TempDir
    Path dir;

    private Path fleet = Path.of("");
    private String output = "";
    private String errors = "";

    @BeforeEach
    void publish() throws Exception {
        fleet = dir.resolve("fleet");
        FleetDirectory directory = new FleetDirectory(fleet);
        FleetRepository repository = new FleetRepository(directory, Clock.systemUTC());
        repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        for (String version : List.of("1.0.0", "2.0.0")) {
            SampleRelease.sign(repository, "chat", version, version.getBytes(StandardCharsets.UTF_8));
        }
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            DeviceEnrolment enrolment = new DeviceEnrolment(bridge, "cam-7");
            EnrolmentAuthority.Attempt attempt = EnrolmentAuthority.begin(
                            enrolment.request(), EnrolmentPolicy.DEFAULT.withSoftware(), Clock.systemUTC())
                    .orThrow();
            EnrolledDevice device = attempt.complete(
                            enrolment.prove(attempt.challenge()).orThrow())
                    .orThrow();
            Files.write(directory.device("cam-7"), Json.write(device.toJson()));
        }
    }

    private int run(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> all = new ArrayList<>(List.of(args));
        all.add("--dir");
        all.add(fleet.toString());
        int code = FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), all.toArray(new String[0]));
        output = out.toString();
        errors = err.toString();
        return code;
    }

    private void ok(String... args) {
        assertThat(run(args)).as(errors).isZero();
    }

    private void refused(String code, String... args) {
        assertThat(run(args)).as(output).isNotZero();
        assertThat(errors).startsWith(code);
    }

    private String audit() throws Exception {
        return Files.readString(fleet.resolve("audit.jsonl"));
    }

    @Test
    void aForgottenDeviceIsListedNoMoreAndItsNumbersGoOn() throws Exception {
        ok("desire", "--no-hint", "cam-7", "chat", "1.0.0");
        ok("devices", "forget", "cam-7");
        assertThat(output).startsWith("forgot cam-7\n").contains("certificate").contains("it enrols again");
        ok("devices");
        assertThat(output).startsWith("no device is enrolled");
        refused("FLT-ABSENT", "devices", "forget", "cam-7");
        refused("CFG-INVALID", "devices", "forget", "../cam-7");
        ok("desire", "--no-hint", "cam-7", "chat", "1.0.0");
        assertThat(output).endsWith("order 2\n");
        assertThat(audit())
                .contains("\"act\":\"forget\"")
                .contains("\"device\":\"cam-7\"")
                .contains("\"by\":\"");
    }

    @Test
    void aDeviceWithoutATpmIsReplacedOnlyByWhoeverComesFirst() throws Exception {
        refused("CFG-INVALID", "devices", "replace", "cam-7");
        String said = errors.strip().replaceFirst(".*: fleet ", "");
        ok(said.split(" "));
        assertThat(output).contains("cam-7 may enrol with other keys until").contains("holdfast provision --again");
        assertThat(audit()).contains("\"act\":\"replace\"");
        refused("ATT-NOT-ENROLLED", "devices", "replace", "cam-8", "--any-key");
        refused("CFG-INVALID", "devices", "replace", "cam-7", "--any-key", "--endorsement", "00");
        refused("WIRE-", "devices", "replace", "cam-7", "--endorsement", "00");
    }

    @Test
    void theDirectoryMayBeNamedBeforeTheVerbOrAfterIt() {
        StringWriter out = new StringWriter();
        PrintWriter both = new PrintWriter(out, true);
        assertThat(FleetCommand.run(both, both, "devices", "--dir", fleet.toString(), "forget", "cam-7"))
                .as(out.toString())
                .isZero();
        assertThat(new FleetDirectory(fleet).isEnrolled("cam-7")).isFalse();
    }

    @Test
    void anOrderIsNumberedAboveWhatTheDeviceHasSeen() {
        ok("desire", "--no-hint", "cam-7", "chat", "1.0.0");
        ok("desire", "--no-hint", "cam-7", "chat", "1.0.0", "--after", "58");
        assertThat(output).endsWith("order 59\n");
        ok("desire", "--no-hint", "cam-7", "chat", "1.0.0", "--after", "3");
        assertThat(output).endsWith("order 60\n");
        refused("CFG-INVALID", "desire", "--no-hint", "cam-7", "chat", "1.0.0", "--after", "-1");
    }

    @Test
    void aFleetComesBackFromABackupAndEachMessageSaysWhatToTypeNext() throws Exception {
        ok("desire", "--no-hint", "cam-7", "chat", "1.0.0");
        Path backup = fleet;
        fleet = dir.resolve("restored");
        refused("CFG-INVALID", "init", "--resume-after", backup.toString(), "--name", "other");
        ok("init", "--resume-after", backup.toString());
        assertThat(output).contains("orders are held: 1").contains("root 2").contains("fleet serve");
        ok("devices");
        assertThat(output).contains("fleet resume cam-7");
        ok("resume");
        assertThat(output).contains("not heard of").containsPattern("not heard of +chat 1.0.0 \\(default\\) +-");
        refused("FLT-HELD", "desire", "--no-hint", "cam-7", "chat", "2.0.0");
        refused("FLT-ABSENT", "resume", "--no-hint", "cam-7", "--keep");
        Files.writeString(fleet.resolve("reports/cam-7.json"), "{\"models\":[]}");
        ok("resume", "--all", "--keep", "--no-hint");
        assertThat(output).isEqualTo("still held: 1; see fleet resume\n");
        Files.writeString(
                fleet.resolve("reports/cam-7.json"),
                "{\"models\":[{\"model\":\"chat\",\"version\":\"2.0.0\",\"default\":true}]}");
        ok("resume", "cam-7");
        assertThat(output).contains("DIFFERS").containsPattern("chat 2.0.0 \\(default\\)\n");
        ok("resume", "--json");
        assertThat(Json.read(output.getBytes(java.nio.charset.StandardCharsets.UTF_8), 4096)
                        .orThrow()
                        .at("/0/reported/models/chat")
                        .asText())
                .isEqualTo("2.0.0");
        ok("resume", "--all", "--keep", "--no-hint");
        assertThat(output).isEqualTo("desired of cam-7: chat 2.0.0 (default); order 1000000\n");
        ok("resume");
        assertThat(output).isEqualTo("no orders are held\n");
        ok("desire", "--no-hint", "cam-7", "chat", "1.0.0");
        assertThat(audit().lines().toList()).hasSize(2);
    }

    @Test
    void wrongUsageIsToldWithTheRightOne() {
        for (String[] wrong : new String[][] {
            {"resume", "--keep"},
            {"resume", "--all"},
            {"resume", "cam-7", "--keep", "--restored"},
            {"resume", "cam-7", "--all", "--keep"}
        }) {
            refused("CFG-INVALID", wrong);
            assertThat(errors).contains("fleet resume");
        }
        refused("CFG-INVALID", "init");
        assertThat(errors).contains("--resume-after BACKUP");
    }
}
