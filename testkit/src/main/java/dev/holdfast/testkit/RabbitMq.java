package dev.holdfast.testkit;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** A real RabbitMQ 4 in a root of its own, on a loopback port, with the definitions and the configuration of the test. */
public final class RabbitMq implements AutoCloseable {
    /** From the folder of a module. */
    private static final Path PROGRAM = Path.of("..", "broker", "bin", "rabbitmq");

    private static final long START_SECONDS = 120;
    private static final String STARTED = "Server startup complete";

    private final int port;
    private final Path log;
    private final Process process;

    private RabbitMq(int port, Path log, Process process) {
        this.port = port;
        this.log = log;
        this.process = process;
    }

    /** Whether there is one: {@code ./dev test --full} makes it. CI must have it where it asks for that. */
    public static boolean isInstalled() throws IOException, InterruptedException {
        boolean installed = new ProcessBuilder(PROGRAM.toString(), "version")
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor()
                == 0;
        if (!installed) {
            String line = "SKIPPED: RabbitMQ is not installed (broker/bin/rabbitmq install)";
            System.out.println(line);
            if ("true".equals(System.getenv("CI"))) {
                throw new AssertionError(line);
            }
        }
        return installed;
    }

    /**
     * Starts it and waits until it listens. It lets in whoever comes, unless there is a {@code definitions.json} in the folder.
     *
     * @param dir for what it keeps, and for its log; {@code more.conf} there is added to its configuration
     */
    public static RabbitMq start(Path dir) throws IOException, InterruptedException {
        int port;
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = probe.getLocalPort();
        }
        Path log = dir.resolve("rabbitmq.log");
        Process process = new ProcessBuilder(PROGRAM.toString(), "serve", dir.toString(), Integer.toString(port))
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        RabbitMq broker = new RabbitMq(port, log, process);
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (true) {
            // It listens before it has read the definitions.
            if (broker.log().contains(STARTED)) {
                return broker;
            }
            if (!process.isAlive() || System.nanoTime() > end) {
                broker.close();
                throw new IOException("RabbitMQ does not start: " + broker.log());
            }
            TimeUnit.MILLISECONDS.sleep(50);
        }
    }

    public int port() {
        return port;
    }

    /** What it wrote so far. */
    public String log() throws IOException {
        return Files.readString(log);
    }

    @Override
    public void close() {
        // It ends what it started when it is asked to, and when it is killed.
        process.destroy();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
