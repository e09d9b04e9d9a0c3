package dev.holdfast.bridge;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** {@code holdfast bridge}: what its options take, and what it says and does as a process. */
@Timeout(60)
class BridgeCommandTest {
    private static final int USAGE = 2;
    private static final int EX_CONFIG = 78;
    private static final Pattern URL = Pattern.compile("http://(\\S+):(\\d+)/v1");

    @TempDir
    Path folder;

    private record Ran(int status, String said) {}

    private static Ran run(String... arguments) {
        StringWriter said = new StringWriter();
        CommandLine line = BridgeCommand.program().commandLine();
        line.setOut(new PrintWriter(said)).setErr(new PrintWriter(said));
        return new Ran(line.execute(arguments), said.toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0.0.0.0",
                "::",
                "127.0.0.2",
                "localhost",
                "192.0.2.1",
                "::ffff:127.0.0.1",
                "127.1",
                "2130706433",
                ""
            })
    void anyOtherAddressIsRefusedAtTheOption(String address) {
        Ran ran = run("--address=" + address, "--socket=" + folder.resolve("none.sock"), "--no-token");
        assertThat(ran.status()).isEqualTo(USAGE);
        assertThat(ran.said()).contains("must be one of [127.0.0.1, ::1]");
    }

    @ParameterizedTest
    @ValueSource(strings = {"--port=65536", "--port=-1", "--port=http", "--no-token --token-file=x", "--bind=0.0.0.0"})
    void wrongOptionsAreRefused(String options) {
        List<String> arguments = new ArrayList<>(List.of(options.split(" ")));
        arguments.add("--socket=" + folder.resolve("none.sock"));
        assertThat(run(arguments.toArray(String[]::new)).status()).isEqualTo(USAGE);
    }

    @Test
    void aTokenFileThatIsOpenToOthersEndsTheStart() throws Exception {
        Path file = Files.writeString(folder.resolve("token"), "0123456789abcdef");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        Ran ran = run("--port=0", "--token-file=" + file, "--socket=" + folder.resolve("none.sock"));
        assertThat(ran.status()).isEqualTo(EX_CONFIG);
        assertThat(ran.said()).contains("CFG-INVALID").doesNotContain("0123456789abcdef");
    }

    @Test
    void helpSaysWhatItsCallersShare() {
        String help = run("--help").said();
        assertThat(help)
                .contains(
                        "--port=N",
                        "--address",
                        "--socket=PATH",
                        "--token-file=FILE",
                        "--no-token",
                        "are one user, the bridge's own",
                        "share that user's places",
                        "prefix cache",
                        "Web pages are refused");
    }

    private Process start(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Djava.io.tmpdir=" + folder,
                "-cp",
                System.getProperty("java.class.path"),
                BridgeCommand.class.getName(),
                "--port=0",
                "--socket=" + folder.resolve("none.sock")));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("XDG_RUNTIME_DIR", folder.toString());
        return builder.start();
    }

    private static String greeting(Process process) throws Exception {
        BufferedReader lines = process.inputReader(StandardCharsets.UTF_8);
        StringBuilder said = new StringBuilder();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            said.append(line).append('\n');
            if (line.contains("prefix cache")) {
                break;
            }
        }
        return said.toString();
    }

    @Test
    void makesItsTokenTellsWhereAndAnswersWhoHasIt() throws Exception {
        Process process = start();
        try {
            String said = greeting(process);
            Path file = folder.resolve("holdfast/bridge.token");
            assertThat(said).contains("The API key is in " + file, "as user " + System.getProperty("user.name"));
            String token = Files.readString(file).strip();
            assertThat(said).doesNotContain(token);
            Matcher url = URL.matcher(said);
            assertThat(url.find()).as(said).isTrue();
            assertThat(url.group(1)).isEqualTo("127.0.0.1");
            int port = Integer.parseInt(url.group(2));
            assertThat(RawClient.exchange(port, RawClient.head("GET", "/v1/models", "", List.of())))
                    .startsWith("HTTP/1.1 401");
            assertThat(RawClient.exchange(port, RawClient.head("GET", "/v1/models", token, List.of())))
                    .startsWith("HTTP/1.1 503")
                    .contains("API-UNREACHABLE");
            process.destroy();
            assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void aHangupHasItTakeAnotherTokenOrKeepTheOneThatItHas() throws Exception {
        Process process = start();
        try {
            Matcher url = URL.matcher(greeting(process));
            assertThat(url.find()).isTrue();
            int port = Integer.parseInt(url.group(2));
            Path file = folder.resolve("holdfast/bridge.token");
            String before = Files.readString(file).strip();

            Files.writeString(file, "short");
            hangup(process);
            assertThat(next(process)).contains("WARN", "the token stays as it was", "CFG-INVALID");
            assertThat(status(port, before)).startsWith("HTTP/1.1 503");

            Files.writeString(file, "another-token-0123456789");
            hangup(process);
            assertThat(next(process)).contains("INFO", "the token was read again");
            assertThat(status(port, before)).startsWith("HTTP/1.1 401");
            assertThat(status(port, "another-token-0123456789")).startsWith("HTTP/1.1 503");
        } finally {
            process.destroyForcibly();
        }
    }

    private static void hangup(Process process) throws Exception {
        assertThat(new ProcessBuilder("kill", "-HUP", Long.toString(process.pid()))
                        .inheritIO()
                        .start()
                        .waitFor())
                .isZero();
    }

    /** The next line of the log. */
    private static String next(Process process) throws Exception {
        BufferedReader lines = process.inputReader(StandardCharsets.UTF_8);
        String line = lines.readLine();
        while (line != null && !line.contains(" - ")) {
            line = lines.readLine();
        }
        return String.valueOf(line);
    }

    private static String status(int port, String token) throws Exception {
        return RawClient.exchange(port, RawClient.head("GET", "/v1/models", token, List.of()));
    }

    @Test
    void withoutATokenItSaysWhatThatMeans() throws Exception {
        Process process = start("--no-token", "--address=::1");
        try {
            assertThat(greeting(process)).contains("http://[::1]:", "NO TOKEN: every account of this machine may ask");
            assertThat(folder.resolve("holdfast")).doesNotExist();
        } finally {
            process.destroyForcibly();
        }
    }
}
