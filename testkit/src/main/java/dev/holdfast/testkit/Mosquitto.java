package dev.holdfast.testkit;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The one broker here that is not hostile: a real mosquitto on loopback ports, with a configuration of the test. */
public final class Mosquitto implements AutoCloseable {
    private static final Path PROGRAM = Path.of("/usr/sbin/mosquitto");
    private static final long START_SECONDS = 20;

    private final Path dir;
    private final List<Integer> ports;
    private final Process process;

    private Mosquitto(Path dir, List<Integer> ports, Process process) {
        this.dir = dir;
        this.ports = ports;
        this.process = process;
    }

    /** Whether there is one. CI must have it. */
    public static boolean isInstalled() {
        boolean installed = Files.isExecutable(PROGRAM);
        if (!installed) {
            String line = "SKIPPED: mosquitto is not installed (apt-get install mosquitto)";
            System.out.println(line);
            if ("true".equals(System.getenv("CI"))) {
                throw new AssertionError(line);
            }
        }
        return installed;
    }

    /**
     * Starts it and waits until it listens.
     *
     * @param dir for its configuration and its log
     * @param listeners the lines of each listener; each gets a port of its own
     */
    public static Mosquitto start(Path dir, List<String> listeners) throws IOException, InterruptedException {
        List<Integer> ports = new ArrayList<>();
        for (int i = 0; i < listeners.size(); i++) {
            ports.add(freePort());
        }
        return start(dir, listeners, ports, "");
    }

    /** The same with lines that are no listener's. */
    public static Mosquitto start(Path dir, List<String> listeners, String more)
            throws IOException, InterruptedException {
        return start(dir, listeners, List.of(freePort()), more);
    }

    /** The same on these ports. */
    public static Mosquitto start(Path dir, List<String> listeners, List<Integer> ports)
            throws IOException, InterruptedException {
        return start(dir, listeners, ports, "");
    }

    private static Mosquitto start(Path dir, List<String> listeners, List<Integer> ports, String more)
            throws IOException, InterruptedException {
        StringBuilder config = new StringBuilder("user root\nper_listener_settings true\nlog_type all\n").append(more);
        for (int i = 0; i < listeners.size(); i++) {
            config.append("listener %d 127.0.0.1%n".formatted(ports.get(i)))
                    .append(listeners.get(i))
                    .append('\n');
        }
        Path file = Files.writeString(dir.resolve("mosquitto.conf"), config);
        Process process = new ProcessBuilder(PROGRAM.toString(), "-c", file.toString(), "-v")
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve("mosquitto.log").toFile())
                .start();
        Mosquitto broker = new Mosquitto(dir, List.copyOf(ports), process);
        for (int port : ports) {
            broker.await(port);
        }
        return broker;
    }

    private void await(int port) throws IOException, InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (true) {
            try {
                new Socket(InetAddress.getLoopbackAddress(), port).close();
                return;
            } catch (IOException e) {
                if (!process.isAlive() || System.nanoTime() > end) {
                    close();
                    throw new IOException("mosquitto does not listen: " + log(), e);
                }
                TimeUnit.MILLISECONDS.sleep(10);
            }
        }
    }

    /** Of the listener with this number, from 0. */
    public int port(int listener) {
        return ports.get(listener);
    }

    /** What it wrote so far. */
    public String log() throws IOException {
        return Files.readString(dir.resolve("mosquitto.log"));
    }

    private static int freePort() throws IOException {
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return probe.getLocalPort();
        }
    }

    @Override
    public void close() {
        process.destroyForcibly().onExit().join();
    }
}
