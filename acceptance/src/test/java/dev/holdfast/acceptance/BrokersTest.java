package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.testkit.Mosquitto;
import dev.holdfast.testkit.RabbitMq;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One and the same install through each broker that there is a promise for: publish, order, install by delta, evidence. */
@Tag("full")
class BrokersTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);

    @TempDir
    Path dir;

    @Test
    void throughMosquitto() throws Exception {
        assumeTrue(Mosquitto.isInstalled(), "needs mosquitto");
        try (Mosquitto broker = Mosquitto.start(dir, List.of("allow_anonymous true\n"))) {
            install(broker.port(0));
        }
    }

    /** Less than a block, as some services take: blocks come in pieces. */
    @Test
    void throughMosquittoThatTakesShortMessages() throws Exception {
        assumeTrue(Mosquitto.isInstalled(), "needs mosquitto");
        try (Mosquitto broker = Mosquitto.start(dir, List.of("allow_anonymous true\n"), "max_packet_size 70000\n")) {
            install(broker.port(0));
        }
    }

    @Test
    void throughRabbitMq() throws Exception {
        assumeTrue(RabbitMq.isInstalled(), "needs RabbitMQ");
        try (RabbitMq broker = RabbitMq.start(dir)) {
            install(broker.port());
        }
    }

    @Test
    void throughHiveMq() throws Exception {
        Path lib = Path.of("../broker/target/lib").toAbsolutePath().normalize();
        assumeTrue(Files.isDirectory(lib), "needs module broker, packaged");
        int port;
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = probe.getLocalPort();
        }
        Process broker = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:+UseSerialGC",
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-cp",
                        lib.resolveSibling("classes") + ":" + lib + "/*",
                        "dev.holdfast.broker.EmbeddedBroker",
                        dir.resolve("hivemq").toString(),
                        Integer.toString(port))
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve("hivemq.log").toFile())
                .start();
        try {
            Tools.until(LIMIT, "HiveMQ listens", () -> {
                new Socket(InetAddress.getLoopbackAddress(), port).close();
                return true;
            });
            install(port);
        } finally {
            broker.destroyForcibly().onExit().join();
        }
    }

    private void install(int port) throws Exception {
        try (Stack stack = Stack.prepare(dir.resolve("stack"), port, true)) {
            stack.startFleet();
            stack.startInference();
            stack.startAgent();
            for (String version : List.of("1.0.0", "2.0.0")) {
                stack.desire(version);
                stack.awaitServing(version);
                stack.awaitCommitted(version);
            }
            String verdict = stack.fleet("attest", "device-1");
            assertThat(verdict).as("the evidence holds").contains("2.0.0");
            assertThat(stack.status().at("/link/lost").isMissingNode())
                    .as("one connection was enough: " + stack.status().path("link"))
                    .isTrue();
            stack.assertNoTraces();
        }
    }
}
