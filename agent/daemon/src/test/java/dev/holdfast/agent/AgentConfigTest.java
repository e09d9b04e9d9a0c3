package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.DeviceName;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.link.BrokerAccess;
import dev.holdfast.link.BrokerAddress;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.tpm.TpmAddress;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AgentConfigTest {
    private static final String WHOLE = "fleet = \"f\"\ndevice = \"d\"\nstate = \"s\"\ntee = \"software\"\n";

    @TempDir
    Path dir;

    private Verdict<AgentConfig> read(byte[] bytes) throws Exception {
        return AgentConfig.read(Files.write(dir.resolve("holdfast.toml"), bytes));
    }

    @Test
    void relativePathsCountFromTheFile() throws Exception {
        assertThat(read(WHOLE.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOfSatisfying(
                        Verdict.Accepted.class,
                        accepted -> assertThat(((AgentConfig) accepted.value()).stateDir())
                                .isEqualTo(dir.toAbsolutePath().resolve("s")));
    }

    /** One file for every device: the name comes from the key, and is the same each time. */
    @Test
    void theNameMayComeFromTheKeysOfTheDevice() throws Exception {
        String toml = WHOLE.replace("\"d\"", "\"auto\"") + "enrolment-token-file = \"token\"\n";
        AgentConfig config = read(toml.getBytes(StandardCharsets.UTF_8)).orThrow();
        assertThat(config.identity())
                .isEqualTo(new AgentConfig.Identity(
                        "f", Optional.empty(), Optional.of(dir.toAbsolutePath().resolve("token"))));
        try (TeeBridge bridge = TeeBridges.open(config)) {
            AgentConfig named = TeeBridges.named(config, bridge);
            assertThat(named.topics()).isEqualTo(new Topics("f", DeviceName.of(DeviceName.endorsement(bridge))));
            assertThat(TeeBridges.named(named, bridge)).isEqualTo(named);
        }
    }

    @Test
    void namesTheRegisterThatModelsAreMeasuredInto() throws Exception {
        for (String register : List.of("pcr:15", "nv:15")) {
            String toml = WHOLE + "register = \"" + register + "\"";
            assertThat(read(toml.getBytes(StandardCharsets.UTF_8))
                            .orThrow()
                            .root()
                            .register())
                    .hasToString(register);
        }
        assertThat(read(WHOLE.getBytes(StandardCharsets.UTF_8)).orThrow().root().register())
                .hasToString("pcr:14");
    }

    @Test
    void namesWhatTheBrokerIsShownAndWhomToTakeForIt() throws Exception {
        String toml = WHOLE + """
                broker = "mqtts://broker"
                broker-user = "cam"
                broker-password-file = "password"
                broker-certificate = "/etc/crt"
                broker-key = "key"
                broker-authorities = ["old.pem", "new.pem"]
                broker-keep-alive-seconds = 600
                broker-spread-seconds = 3600
                """;
        AgentConfig.Broker broker =
                read(toml.getBytes(StandardCharsets.UTF_8)).orThrow().broker();
        Path home = dir.toAbsolutePath();
        assertThat(broker.access())
                .isEqualTo(new BrokerAccess(
                        Optional.of(new BrokerAccess.Login("cam", Optional.of(home.resolve("password")))),
                        Optional.of(new BrokerAccess.ClientKey.Files(Path.of("/etc/crt"), home.resolve("key"))),
                        List.of(home.resolve("old.pem"), home.resolve("new.pem"))));
        assertThat(broker.keepAlive()).isEqualTo(Duration.ofMinutes(10));
        assertThat(broker.spread()).isEqualTo(Duration.ofHours(1));
        assertThat(broker.usesTheTee()).isFalse();
        String one = WHOLE + "broker = \"mqtts://broker\"\nbroker-authorities = \"ca.pem\"";
        broker = read(one.getBytes(StandardCharsets.UTF_8)).orThrow().broker();
        assertThat(broker.access().authorities()).containsExactly(home.resolve("ca.pem"));
        assertThat(broker.usesTheTee()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "fleet = 1",
                "device = \"a/b\"\nfleet=\"f\"",
                WHOLE + "typo = 1",
                WHOLE + "metered = 1",
                WHOLE + "register = \"nv:23\"",
                WHOLE + "broker = \"127.0.0.1:1883\"",
                WHOLE + "broker = \"http://broker\"",
                WHOLE + "broker = \"mqtt://broker\"\nbroker-user = \"cam\"\nbroker-password-file = \"p\"",
                WHOLE + "broker = \"mqtts://broker\"\nbroker-key = \"k\"",
                WHOLE + "broker-password-file = \"p\"",
                WHOLE + "broker-user = \"a\\u0007\"",
                WHOLE + "broker-authorities = [1]",
                WHOLE + "broker-keep-alive-seconds = 1",
                "["
            })
    void refusesWhatItCannotUse(String toml) throws Exception {
        assertThat(read(toml.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        rejected -> assertThat(rejected.reason().code()).isEqualTo(Code.CFG_INVALID));
    }

    @Test
    void refusesASocketPathThatTheKernelWouldRefuse() throws Exception {
        String toml = WHOLE + "control-socket = \"" + "x".repeat(107) + "\"";
        assertThat(read(toml.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        rejected -> assertThat(rejected.reason().detail()).contains("control-socket", "107"));
    }

    @Test
    void mutatedFilesAreReadOrRejectedButNeverThrow() throws Exception {
        Random random = new Random(3);
        int rejected = 0;
        for (int i = 0; i < 2_000; i++) {
            byte[] bytes = WHOLE.getBytes(StandardCharsets.UTF_8);
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            rejected += read(bytes).isAccepted() ? 0 : 1;
        }
        assertThat(rejected).isGreaterThan(500);
    }

    /** The command that checks a configuration has neither the link nor the TEE on its class path: both must take the same values. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "broker = \"mqtt://[::1]:1883\"",
                "broker = \"SSL://a_b.example\"",
                "broker = \"mqtts://h:8883/\"",
                "broker = \"tcp://h:65535\"",
                "broker = \"tcp://h:65536\"",
                "broker = \"tcp://h:0\"",
                "broker = \"tcp://h:\"",
                "broker = \"tcp://u@h\"",
                "broker = \"tcp://h/p\"",
                "broker = \"tcp://h?q\"",
                "broker = \"mqtt://[1.2]x\"",
                "broker = \"wss://h\"",
                "broker = \"\"",
                "register = \"pcr:0\"",
                "register = \"pcr:16\"",
                "register = \"pcr:17\"",
                "register = \"pcr:23\"",
                "register = \"pcr:24\"",
                "register = \"nv:07\"",
                "register = \"nv:16\"",
                "register = \"nv:22\"",
                "register = \"sgx:1\"",
            })
    void whatTheCheckTakesTheAgentTakes(String line) throws Exception {
        Path file = Files.writeString(
                dir.resolve("holdfast.toml"), "fleet = \"f\"\ndevice = \"d\"\nstate = \"s\"\n" + line + "\n");
        boolean checked = ConfigFile.of(file).problems().isEmpty();
        assertThat(AgentConfig.read(file).isAccepted()).isEqualTo(checked);
        String value = line.replaceAll("^.*?\"|\"$", "");
        Verdict<?> parsed = line.startsWith("broker") ? BrokerAddress.parse(value) : TpmRegister.parse(value);
        assertThat(parsed.isAccepted()).isEqualTo(checked);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a",
                "a.b",
                "-a",
                "_",
                "A1_-",
                "",
                "a/b",
                "a+",
                "\u00e4",
                "0123456789012345678901234567890123456789012345678901234567890123",
                "01234567890123456789012345678901234567890123456789012345678901234",
            })
    void whatTheCheckTakesForANameTheLinkTakes(String name) throws Exception {
        Path file = Files.writeString(dir.resolve("holdfast.toml"), "fleet = \"f\"\ndevice = \"" + name + "\"\n");
        assertThat(ConfigFile.of(file).problems().isEmpty()).isEqualTo(Topics.isName(name));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/dev/tpmrm0",
                "/tmp/tpm",
                "unix:/run/tpm.sock",
                "unix:tpm.sock",
                "tcp:127.0.0.1:2321",
                "tcp:h",
                "tpm",
            })
    void whatTheCheckTakesForATpmTheBridgeTakes(String tee) throws Exception {
        Path file = Files.writeString(
                dir.resolve("holdfast.toml"), "fleet = \"f\"\ndevice = \"d\"\ntee = \"" + tee + "\"\n");
        assertThat(ConfigFile.of(file).problems().isEmpty())
                .isEqualTo(TpmAddress.parse(tee).isAccepted());
    }
}
