package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A local program of another user, which may connect to the sockets and is up to no good; the operator is root. */
class HostileProgramTest {
    private static final int NOBODY = 65534;
    /** Not one below somebody's home, which another user cannot read. */
    private static final Path PYTHON = Path.of("/usr/bin/python3");

    private static final Duration LIMIT = Duration.ofSeconds(120);

    /** Holds as many silent connections as it gets, says so, and counts eight seconds later which are open still. */
    private static final String HOLD = """
            import socket, sys, time
            held = []
            for path in sys.argv[1:]:
                for i in range(400):
                    s = socket.socket(socket.AF_UNIX)
                    try:
                        s.connect(path)
                        held.append(s)
                    except OSError:
                        pass
            print("HELD", len(held), flush=True)
            time.sleep(8)
            still = 0
            for s in held:
                s.setblocking(False)
                try:
                    while s.recv(65536):  # Why it was refused.
                        pass
                except BlockingIOError:
                    still += 1
                except OSError:
                    pass
            print("OPEN", still, flush=True)
            """;

    @TempDir
    static Path dir;

    private static Stack stack;

    @BeforeAll
    static void start() throws Exception {
        stack = Stack.prepare(dir.resolve("s"), true);
        stack.startBroker();
        stack.startFleet();
        stack.startInference();
        stack.startAgent();
        stack.desire("1.0.0");
        stack.awaitCommitted("1.0.0");
        for (Path folder = stack.dir.resolve("run");
                folder != null && !folder.equals(Path.of("/tmp"));
                folder = folder.getParent()) {
            if (Files.isWritable(folder) && folder.startsWith(dir.getParent())) {
                Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-x--x"));
            }
        }
        // What the group of the package gives: whoever may connect, but is not the agent's user.
        for (String name : List.of("inference", "inference-control", "control")) {
            Files.setPosixFilePermissions(stack.socket(name), PosixFilePermissions.fromString("rw-rw-rw-"));
        }
    }

    @AfterAll
    static void stop() {
        if (stack != null) {
            stack.assertNoTraces();
            stack.close();
        }
    }

    @Test
    void silentConnectionsOfOneUserLockOutNobody() throws Exception {
        assumeThat(System.getProperty("user.name"))
                .as("another user can be taken by root")
                .isEqualTo("root");
        assumeThat(PYTHON).as("a Python that any user can run").isExecutable();
        Process hostile = new ProcessBuilder(
                        Tools.path("setpriv", "util-linux"),
                        "--reuid=" + NOBODY,
                        "--regid=" + NOBODY,
                        "--clear-groups",
                        PYTHON.toString(),
                        "-c",
                        HOLD,
                        stack.socket("inference").toString(),
                        stack.socket("inference-control").toString(),
                        stack.socket("control").toString())
                .redirectErrorStream(true)
                .start();
        try (BufferedReader said =
                new BufferedReader(new InputStreamReader(hostile.getInputStream(), StandardCharsets.UTF_8))) {
            String held = said.readLine();
            assertThat(held).startsWith("HELD ");
            long begun = System.nanoTime();
            assertThat(stack.serves()).isEqualTo("intent@1.0.0");
            assertThat(stack.status().path("device").asText()).isEqualTo("device-1");
            assertThat(UnixSocket.getJson(stack.socket("inference-control"), "/control/v1/status")
                            .path("default")
                            .asText())
                    .isEqualTo("intent");
            assertThat(stack.answer("lock the front door")).contains("lock_door");
            assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(5));
            assertThat(said.readLine()).as("of " + held).isEqualTo("OPEN 0");
        } finally {
            hostile.destroyForcibly().waitFor();
        }
        // The agent was not locked out either: evidence is more than a warning.
        Tools.until(
                LIMIT,
                "an affirming device",
                () -> stack.command(
                                        Stack.FLEET,
                                        "attest",
                                        "--dir",
                                        stack.dir.resolve("fleet").toString(),
                                        "--min-assurance",
                                        "emulated",
                                        "device-1")
                                .status()
                        == 0);
    }
}
