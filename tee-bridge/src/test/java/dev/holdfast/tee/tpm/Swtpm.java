package dev.holdfast.tee.tpm;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;
import org.awaitility.core.TerminalFailureException;

/** A real TPM emulator that a test of any module starts, kills and stops. State is kept in {@code dir} across restarts. */
public final class Swtpm implements AutoCloseable {
    private static final Duration START_LIMIT = Duration.ofSeconds(10);

    private final Path dir;
    private Process process;

    private Swtpm(Path dir, Process process) {
        this.dir = dir;
        this.process = process;
    }

    /** Starts swtpm. Where it is not installed the test is skipped with a clear line, except under CI. */
    public static Swtpm start(Path dir) throws IOException, InterruptedException {
        require("swtpm");
        System.out.println("with " + firstLine("swtpm", "--version"));
        Files.createDirectories(dir.resolve("state"));
        return new Swtpm(dir, launch(dir));
    }

    public static void require(String tool) {
        boolean found = List.of(System.getenv("PATH").split(":")).stream()
                .anyMatch(at -> Files.isExecutable(Path.of(at, tool)));
        if (!found) {
            String line = "SKIPPED: " + tool + " is not installed (apt install swtpm tpm2-tools)";
            System.out.println(line);
            if ("true".equals(System.getenv("CI"))) {
                fail(line);
            }
            abort(line);
        }
    }

    public TpmAddress address() {
        return new TpmAddress.Unix(socket(dir));
    }

    /** kill -9 and a new process on the same state: what a power cut does to a TPM. */
    public void powerCut() throws IOException, InterruptedException {
        process.destroyForcibly().waitFor();
        Files.deleteIfExists(socket(dir));
        process = launch(dir);
    }

    public void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Override
    public void close() {
        process.destroyForcibly().onExit().join();
    }

    /** Runs a tool to its end and returns its exit code; its output goes to {@code log}. */
    public static int run(Path log, String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        if (!process.waitFor(20, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            fail(command[0] + " does not end");
        }
        return process.exitValue();
    }

    private static Process launch(Path dir) throws IOException {
        Process process = new ProcessBuilder(
                        "swtpm",
                        "socket",
                        "--tpm2",
                        "--tpmstate",
                        "dir=" + dir.resolve("state"),
                        "--server",
                        "type=unixio,path=" + socket(dir),
                        "--ctrl",
                        // Where the TCTI of tpm2-tools looks for it.
                        "type=unixio,path=" + dir.resolve("sock.ctrl"),
                        "--flags",
                        "not-need-init,startup-clear")
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve("swtpm.log").toFile())
                .start();
        try {
            Awaitility.await()
                    .atMost(START_LIMIT)
                    .pollInterval(Duration.ofMillis(5))
                    .failFast("it ended", () -> !process.isAlive())
                    .until(() -> listens(dir));
        } catch (ConditionTimeoutException | TerminalFailureException e) {
            process.destroyForcibly();
            fail("swtpm does not come up: " + Files.readString(dir.resolve("swtpm.log")));
        }
        return process;
    }

    private static boolean listens(Path dir) {
        try (Channel probe = new TpmAddress.Unix(socket(dir)).open()) {
            return probe.isOpen();
        } catch (IOException e) {
            return false;
        }
    }

    private static Path socket(Path dir) {
        return dir.resolve("sock");
    }

    private static String firstLine(String... command) throws IOException {
        try (var reader = new ProcessBuilder(command).start().inputReader()) {
            return String.valueOf(reader.readLine());
        }
    }
}
