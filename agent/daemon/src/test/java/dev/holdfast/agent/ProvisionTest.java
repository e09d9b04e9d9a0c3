package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.channels.Channel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What provisioning leaves in a real TPM emulator, and what the doctor says of it. */
class ProvisionTest {
    @TempDir
    Path dir;

    private @Nullable Process swtpm;
    private Path config;

    @BeforeEach
    void start() throws Exception {
        Files.createDirectory(dir.resolve("tpm"));
        try {
            swtpm = new ProcessBuilder(
                            "swtpm",
                            "socket",
                            "--tpm2",
                            "--tpmstate",
                            "dir=" + dir.resolve("tpm"),
                            "--server",
                            "type=unixio,path=" + dir.resolve("sock"),
                            "--ctrl",
                            "type=unixio,path=" + dir.resolve("ctrl"),
                            "--flags",
                            "not-need-init,startup-clear")
                    .redirectErrorStream(true)
                    .redirectOutput(dir.resolve("swtpm.log").toFile())
                    .start();
        } catch (IOException e) {
            String line = "SKIPPED: swtpm is not installed (apt install swtpm)";
            System.out.println(line);
            if ("true".equals(System.getenv("CI"))) {
                fail(line);
            }
            abort(line);
        }
        Awaitility.await().pollInterval(Duration.ofMillis(5)).until(this::listens);
        config = Files.writeString(
                dir.resolve("holdfast.toml"),
                "fleet = \"f\"\ndevice = \"d\"\nstate = \"s\"\ntee = \"unix:" + dir.resolve("sock")
                        + "\"\nfactory-root = \"root.json\"\ncontrol-socket = \"c\"\ninference-socket = \"i\"\n"
                        + "inference-control-socket = \"ic\"\n");
        Files.writeString(dir.resolve("root.json"), "a factory root");
    }

    private boolean listens() {
        try (Channel probe = new dev.holdfast.tee.tpm.TpmAddress.Unix(dir.resolve("sock")).open()) {
            return probe.isOpen();
        } catch (IOException e) {
            return false;
        }
    }

    @AfterEach
    void stop() {
        if (swtpm != null) {
            swtpm.destroyForcibly().onExit().join();
        }
    }

    private record Ran(int status, String out, String err) {}

    private Ran run(String command) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line =
                AgentCommand.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        int status = line.execute(command, "--config", config.toString());
        return new Ran(status, out.toString(), err.toString());
    }

    private String doctor() throws Exception {
        return Doctor.of(AgentConfig.read(config).orThrow()).text();
    }

    @Test
    void provisioningIsDoneOnceAndNeverUndone() throws Exception {
        Sha256 root = Sha256.ofFile(dir.resolve("root.json"));
        Ran first = run("provision");
        assertThat(first.status()).as(first.err()).isZero();
        assertThat(first.out())
                .contains("anchored " + root)
                .contains("locked for good")
                .contains("state counter");
        Ran again = run("provision");
        assertThat(again.status()).isZero();
        assertThat(again.out()).contains("already anchored: " + root);
        Files.writeString(dir.resolve("root.json"), "another factory root");
        Ran other = run("provision");
        assertThat(other.status()).isEqualTo(1);
        assertThat(other.err()).contains("TEE-REFUSED");
        assertThat(doctor()).containsPattern("FAIL {2}anchor +another root: " + root);
    }

    @Test
    void theDoctorSaysWhatIsInTheTpm() throws Exception {
        String before = doctor();
        assertThat(before)
                .containsPattern("FAIL {2}anchor +not provisioned")
                .containsPattern("FAIL {2}factory root index +not provisioned")
                .containsPattern("FAIL {2}state counter +NV 0x18f4804 and its base are not both there")
                .contains("-> holdfast provision");
        assertThat(doctor()).as("looking makes nothing").isEqualTo(before);
        assertThat(run("provision").status()).isZero();
        assertThat(doctor())
                .containsPattern("warn {2}TEE +TPM2, assurance EMULATED")
                .containsPattern("ok {4}anchor +the factory root " + Sha256.ofFile(dir.resolve("root.json")))
                .containsPattern("ok {4}factory root index +NV 0x18f4803, written once, locked for good")
                .containsPattern("ok {4}state counter +NV 0x18f4804 is at 0, its base 0x18f4805 is locked")
                .containsPattern("ok {4}lockout counter +0 of 3 failures, one is forgotten every 1000 s")
                .containsPattern("ok {4}keys +signs as [0-9a-f]{64}, quotes as [0-9a-f]{64}")
                .containsPattern("ok {4}register +number 14, 1 resets so far, holds nothing yet");
    }
}
