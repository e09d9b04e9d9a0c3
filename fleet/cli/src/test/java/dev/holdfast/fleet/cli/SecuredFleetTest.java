package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.settings.BrokerLink;
import dev.holdfast.link.LinkException;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.Topics;
import dev.holdfast.testkit.Mosquitto;
import dev.holdfast.testkit.TestAuthority;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The operator's commands at a broker that asks for a password, and at one that asks for a certificate. */
class SecuredFleetTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String PASSWORD = "correct horse";

    @TempDir
    Path dir;

    private final TestAuthority authority = new TestAuthority("authority");
    private String out = "";
    private String err = "";

    @Test
    void theFleetReachesABrokerThatIsSecured() throws Exception {
        assumeTrue(Mosquitto.isInstalled(), "needs mosquitto");
        Path ca = Files.writeString(dir.resolve("ca.crt"), authority.pem());
        try (Mosquitto broker = broker(ca)) {
            Path password = TestAuthority.secret(dir.resolve("password"), "wrong-one");
            String byPassword = "mqtts://localhost:" + broker.port(0);
            assertThat(fleet(
                            "init",
                            "--name",
                            "demo",
                            "--broker",
                            byPassword,
                            "--broker-user",
                            "fleet",
                            "--broker-password-file",
                            password.toString(),
                            "--broker-authorities",
                            ca.toString()))
                    .as(err)
                    .isZero();
            assertThatThrownBy(this::connect)
                    .isInstanceOfSatisfying(
                            LinkException.class,
                            e -> assertThat(e.rejection().code()).isEqualTo(Code.LNK_LOGIN));
            TestAuthority.secret(password, PASSWORD);
            connect();
            assertThat(broker.log()).contains("u'fleet'");

            KeyPair pair = TestAuthority.elliptic();
            Path certificate =
                    Files.writeString(dir.resolve("crt"), authority.certificate("operator", pair.getPublic(), ""));
            Path key = TestAuthority.secret(dir.resolve("key"), TestAuthority.pem(pair));
            assertThat(fleet(
                            "settings",
                            "--broker-anonymous",
                            "--broker",
                            "mqtts://localhost:" + broker.port(1),
                            "--broker-certificate",
                            certificate.toString(),
                            "--broker-key",
                            key.toString()))
                    .as(err)
                    .isZero();
            connect();
            assertThat(broker.log()).contains("u'operator'");
            assertThat(fleet("settings", "--json")).isZero();
            var settings = Json.readObject(out.getBytes(), 4096).orThrow();
            assertThat(settings.path("user").asText()).isEmpty();
            assertThat(settings.path("key").asText()).isEqualTo(key.toString());
            assertThat(settings.path("authorities").path(0).asText()).isEqualTo(ca.toString());
            // Where a key is, and never what it is.
            assertThat(Files.readString(fleetDir().resolve("fleet.json")) + out)
                    .doesNotContain(PASSWORD)
                    .doesNotContain("PRIVATE");
        }
    }

    @Test
    void settingsThatDoNotGoTogetherChangeNothing() throws Exception {
        assertThat(fleet("init", "--name", "demo", "--broker", "mqtt://127.0.0.1"))
                .isZero();
        String before = Files.readString(fleetDir().resolve("fleet.json"));
        for (List<String> options : List.of(
                List.of("--broker", "mqtt://broker", "--broker-user", "u", "--broker-password-file", "p"),
                List.of("--broker-password-file", "p"),
                List.of("--broker", "mqtts://broker", "--broker-key", "k"),
                List.of("--broker-certificate", "c", "--broker-key", "k"),
                List.of("--broker", "broker:1883"))) {
            List<String> args = new ArrayList<>(List.of("settings"));
            args.addAll(options);
            assertThat(fleet(args.toArray(String[]::new)))
                    .as(options + ": " + out)
                    .isNotZero();
            assertThat(err).contains("broker");
        }
        assertThat(Files.readString(fleetDir().resolve("fleet.json"))).isEqualTo(before);
        assertThat(fleet("settings")).isZero();
        assertThat(out).contains("mqtt://127.0.0.1").contains("Java's list");
    }

    private Path fleetDir() {
        return dir.resolve("fleet");
    }

    private Mosquitto broker(Path ca) throws Exception {
        Path passwords = dir.resolve("passwords");
        assertThat(new ProcessBuilder("mosquitto_passwd", "-b", "-c", passwords.toString(), "fleet", PASSWORD)
                        .inheritIO()
                        .start()
                        .waitFor())
                .isZero();
        KeyPair server = TestAuthority.elliptic();
        Path crt = Files.writeString(
                dir.resolve("server.crt"), authority.certificate("broker", server.getPublic(), "localhost"));
        Path key = TestAuthority.secret(dir.resolve("server.key"), TestAuthority.pem(server));
        String tls = "cafile %s%ncertfile %s%nkeyfile %s%n".formatted(ca, crt, key);
        return Mosquitto.start(
                dir,
                List.of(
                        tls + "password_file " + passwords + "\nallow_anonymous false\n",
                        tls + "require_certificate true\nuse_identity_as_username true\n"));
    }

    /** As every command does that sends something. */
    private void connect() throws Exception {
        FleetDirectory.Config config = new FleetDirectory(fleetDir()).config();
        try (MqttLink link = BrokerLink.connect(config.broker(), List.of(), LIMIT, message -> {})) {
            link.publish(new Topics("demo", "cam").desired(), new byte[] {'1'}, true);
        }
    }

    private int fleet(String... args) {
        List<String> all = new ArrayList<>(List.of(args));
        all.addAll(List.of("--dir", fleetDir().toString()));
        StringWriter written = new StringWriter();
        StringWriter errors = new StringWriter();
        int code = FleetCommand.run(
                new PrintWriter(written, true), new PrintWriter(errors, true), all.toArray(String[]::new));
        out = written.toString();
        err = errors.toString();
        return code;
    }
}
