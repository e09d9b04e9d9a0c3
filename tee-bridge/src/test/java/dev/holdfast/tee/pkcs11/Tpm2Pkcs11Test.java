package dev.holdfast.tee.pkcs11;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.holdfast.tee.tpm.Swtpm;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Debian's tpm2-pkcs11 on a TPM emulator behind a resource manager, as docs/hardware.md says: its own tool makes key and certificate, and
 * then the bridge signs. The module reads its environment, so the bridge is opened by {@link TokenProbe} in a process of its own.
 */
@Tag("full")
class Tpm2Pkcs11Test {
    private static final Path MODULES = Path.of("/usr/lib");
    private static final String MODULE = "libtpm2_pkcs11.so.1";

    @TempDir
    Path dir;

    private final List<Process> running = new ArrayList<>();
    private Map<String, String> environment = Map.of();

    @AfterEach
    void stop() {
        running.reversed().forEach(process -> process.destroyForcibly().onExit().join());
    }

    private static String tool(String name) {
        return Stream.of(System.getenv("PATH").split(":"), new String[] {"/usr/sbin"})
                .flatMap(Stream::of)
                .map(folder -> Path.of(folder, name))
                .filter(Files::isExecutable)
                .findFirst()
                .map(Path::toString)
                .orElseGet(() -> absent(name));
    }

    private static String absent(String what) {
        String line = "SKIPPED: " + what + " is not installed (apt install libtpm2-pkcs11-tools tpm2-abrmd"
                + " libtss2-tcti-tabrmd0 dbus gnutls-bin)";
        System.out.println(line);
        return abort(line);
    }

    private static Path module() throws Exception {
        try (Stream<Path> folders = Files.list(MODULES)) {
            return folders.map(folder -> folder.resolve(MODULE))
                    .filter(Files::exists)
                    .findFirst()
                    .orElseGet(() -> Path.of(absent(MODULE)));
        }
    }

    private Process begin(String name, List<String> command) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve(name + ".log").toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        running.add(process);
        return process;
    }

    private String run(int status, String... command) throws Exception {
        Process process = begin("run", List.of(command));
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).as(command[0]).isTrue();
        String said = Files.readString(dir.resolve("run.log"), StandardCharsets.ISO_8859_1);
        assertThat(process.exitValue()).as(said).isEqualTo(status);
        return said;
    }

    /** Bus and resource manager of this test alone. */
    private void manage() throws Exception {
        Path bus = dir.resolve("bus");
        Path configuration = Files.writeString(dir.resolve("bus.conf"), """
                <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
                 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
                <busconfig><type>session</type><listen>unix:path=%s</listen>
                <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
                </busconfig>
                """.formatted(bus));
        begin("bus", List.of(tool("dbus-daemon"), "--nofork", "--config-file=" + configuration));
        Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> Files.exists(bus));
        Path store = Files.createDirectories(dir.resolve("store"));
        environment = Map.of(
                "DBUS_SESSION_BUS_ADDRESS",
                "unix:path=" + bus,
                "TPM2_PKCS11_STORE",
                store.toString(),
                "TPM2_PKCS11_TCTI",
                "tabrmd:bus_type=session",
                "TPM2TOOLS_TCTI",
                "tabrmd:bus_type=session");
        begin(
                "manager",
                List.of(tool("tpm2-abrmd"), "--allow-root", "--session", "--tcti=swtpm:path=" + dir.resolve("sock")));
        Awaitility.await()
                .atMost(Duration.ofSeconds(30))
                .until(() -> begin("random", List.of(tool("tpm2_getrandom"), "--hex", "8"))
                                .waitFor()
                        == 0);
    }

    private String open(int status) throws Exception {
        Path pin = Files.writeString(dir.resolve("pin"), "123456\n");
        Files.setPosixFilePermissions(pin, PosixFilePermissions.fromString("rw-------"));
        return run(
                status,
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                TokenProbe.class.getName(),
                "pkcs11:token=holdfast?module-path=" + module() + "&pin-source=file:" + pin);
    }

    @Test
    void signsWithAKeyThatItsOwnToolMade() throws Exception {
        String tool = tool("tpm2_ptool");
        String reader = tool("p11tool");
        String module = module().toString();
        try (Swtpm tpm = Swtpm.start(dir)) {
            assertThat(tpm.address()).isNotNull();
            manage();
            String store = dir.resolve("store").toString();
            run(0, tool, "init", "--path", store);
            run(
                    0,
                    tool,
                    "addtoken",
                    "--pid",
                    "1",
                    "--label",
                    "holdfast",
                    "--userpin",
                    "123456",
                    "--sopin",
                    "567890",
                    "--path",
                    store);
            assertThat(open(1)).as("no key is made through the module").contains("TEE-REFUSED");
            run(
                    0,
                    tool,
                    "addkey",
                    "--algorithm=ecc256",
                    "--label=holdfast",
                    "--key-label=holdfast",
                    "--userpin=123456",
                    "--path",
                    store);
            Path key = dir.resolve("public.pem");
            environment = new HashMap<>(environment);
            environment.put("GNUTLS_PIN", "123456");
            String url = "pkcs11:token=holdfast;object=holdfast;type=public";
            run(0, reader, "--provider", module, "--login", "--export-pubkey", url, "--outfile", key.toString());
            Path certificate = dir.resolve("certificate.pem");
            run(
                    0,
                    tool("openssl"),
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-keyout",
                    dir.resolve("any.key").toString(),
                    "-subj",
                    "/CN=Holdfast device key",
                    "-days",
                    "36500",
                    "-out",
                    dir.resolve("any.pem").toString());
            run(
                    0,
                    tool("openssl"),
                    "x509",
                    "-in",
                    dir.resolve("any.pem").toString(),
                    "-signkey",
                    dir.resolve("any.key").toString(),
                    "-force_pubkey",
                    key.toString(),
                    "-days",
                    "36500",
                    "-out",
                    certificate.toString());
            run(
                    0,
                    tool,
                    "addcert",
                    "--label=holdfast",
                    "--key-label=holdfast",
                    "--path",
                    store,
                    certificate.toString());
            String said = open(0);
            assertThat(said).contains("assurance=SOFTWARE", "the JDK verifies: true", "checks anchors: false");
            assertThat(said).as("the model's padding").doesNotContain("\0");
        }
    }
}
