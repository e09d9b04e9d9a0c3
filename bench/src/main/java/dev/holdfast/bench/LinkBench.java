package dev.holdfast.bench;

import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * What it costs to receive blocks by MQTT: by the link, and by the plain client library that the link is above, in turn, each in a
 * process of its own with the same options, from the same mosquitto.
 */
public final class LinkBench {
    private static final int MIB = 100;
    static final int BLOCK_BYTES = 96 * 1024;
    private static final int WINDOW = 16;
    static final int MESSAGES = MIB * 1024 * 1024 / BLOCK_BYTES / WINDOW * WINDOW;
    private static final int RUNS = 5;
    private static final double GOAL = 1.0 / 3;
    private static final String TOPIC = "holdfast/v1/bench/d/device-1/answer";

    private LinkBench() {}

    /** One run. */
    record Cost(double cpuSeconds, double seconds) {}

    public static void main(String[] arguments) throws Exception {
        Path dir = Files.createTempDirectory("holdfast-bench");
        int port;
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = probe.getLocalPort();
        }
        Path conf = Files.writeString(
                dir.resolve("mosquitto.conf"),
                "listener %d 127.0.0.1%nallow_anonymous true%npersistence false%nset_tcp_nodelay true%n"
                        .formatted(port));
        Process broker = new ProcessBuilder("/usr/sbin/mosquitto", "-c", conf.toString())
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve("mosquitto.log").toFile())
                .start();
        try {
            awaitPort(port);
            List<Cost> ours = new ArrayList<>();
            List<Cost> plain = new ArrayList<>();
            String uri = "tcp://127.0.0.1:" + port;
            try (MqttLink publisher = ReconnectingLink.open(LinkConfig.of(uri, "bench", List.of()), message -> {})) {
                while (!publisher.connected()) {
                    Thread.sleep(10);
                }
                for (int i = 0; i < RUNS; i++) {
                    ours.add(run("link", uri, publisher));
                    plain.add(run("paho", uri, publisher));
                }
            }
            write(ours, plain);
        } finally {
            broker.destroyForcibly().onExit().join();
        }
    }

    private static void awaitPort(int port) throws InterruptedException {
        for (int i = 0; i < 500; i++) {
            try {
                new Socket(InetAddress.getLoopbackAddress(), port).close();
                return;
            } catch (IOException e) {
                TimeUnit.MILLISECONDS.sleep(20);
            }
        }
        throw new IllegalStateException("mosquitto does not listen");
    }

    /** A window is sent when the one before has come, as a device asks for it. */
    static Cost run(String client, String uri, MqttLink publisher) throws Exception {
        byte[] block = new byte[BLOCK_BYTES];
        new Random(1).nextBytes(block);
        Process receiver = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-Xmx64m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "dev.holdfast.bench.LinkReceiver",
                        client,
                        uri,
                        TOPIC,
                        Integer.toString(MESSAGES),
                        Integer.toString(WINDOW))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader said = receiver.inputReader(StandardCharsets.UTF_8)) {
            said.readLine();
            long begun = System.nanoTime();
            for (int sent = 0; sent < MESSAGES; sent += WINDOW) {
                for (int i = 0; i < WINDOW; i++) {
                    publisher.publish(TOPIC, block, false);
                }
                said.readLine();
            }
            String cpu = String.valueOf(said.readLine());
            Cost cost = new Cost(Double.parseDouble(cpu.substring("cpu ".length())), (System.nanoTime() - begun) / 1e9);
            System.err.printf("%s: %.2f CPU s in %.1f s%n", client, cost.cpuSeconds(), cost.seconds());
            return cost;
        } finally {
            receiver.destroyForcibly().onExit().join();
        }
    }

    private static double median(List<Cost> costs) {
        return costs.stream().mapToDouble(Cost::cpuSeconds).sorted().toArray()[costs.size() / 2];
    }

    private static void write(List<Cost> ours, List<Cost> plain) throws IOException {
        double ratio = median(ours) / median(plain);
        PerformancePage.replace("link", """
                %s. %d blocks of 96 KiB through mosquitto, 16 at a time, QoS 1; CPU time of the whole receiving process from its subscription \
                to the last block, its compiler and collector included; median of %d runs in turn. Written by `./dev bench link`.

                | what receives | CPU seconds | all runs | of plain Paho |
                |---|---|---|---|
                | the link | %.2f | %s | %.2f, goal at most %.2f%s |
                | Paho 1.2.5 alone | %.2f | %s | 1 |
                """.formatted(
                        Machine.describe(),
                        MESSAGES,
                        RUNS,
                        median(ours),
                        all(ours),
                        ratio,
                        GOAL,
                        ratio <= GOAL ? "" : ": missed",
                        median(plain),
                        all(plain)));
    }

    private static String all(List<Cost> costs) {
        return String.join(
                ", ",
                costs.stream().map(cost -> "%.2f".formatted(cost.cpuSeconds())).toList());
    }
}
