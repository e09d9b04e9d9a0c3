package dev.holdfast.broker;

import com.hivemq.embedded.EmbeddedHiveMQ;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * HiveMQ Community Edition on a port of the loopback, without authentication and with everything in memory. It stands in
 * for a broker where none can be installed; a fleet runs a real one.
 */
public final class EmbeddedBroker implements AutoCloseable {
    private static final long DEADLINE_SECONDS = 60;

    private final EmbeddedHiveMQ broker;
    private final int port;

    private EmbeddedBroker(EmbeddedHiveMQ broker, int port) {
        this.broker = broker;
        this.port = port;
    }

    /**
     * Starts a broker and waits until it listens.
     *
     * @param folder for its configuration; created
     * @param port of the loopback, or 0 for a free one
     * @throws IOException when it did not start within a minute
     */
    public static EmbeddedBroker start(Path folder, int port) throws IOException {
        int chosen = port == 0 ? freePort() : port;
        Path conf = Files.createDirectories(folder.resolve("conf"));
        Files.writeString(conf.resolve("config.xml"), configuration(chosen));
        EmbeddedHiveMQ broker = EmbeddedHiveMQ.builder()
                .withConfigurationFolder(conf)
                .withDataFolder(Files.createDirectories(folder.resolve("data")))
                .withExtensionsFolder(Files.createDirectories(folder.resolve("extensions")))
                .build();
        try {
            broker.start().get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException("the broker did not start", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        return new EmbeddedBroker(broker, chosen);
    }

    /** Where clients reach it. */
    public String uri() {
        return "tcp://127.0.0.1:" + port;
    }

    private static String configuration(int port) {
        return """
                <?xml version="1.0"?>
                <hivemq>
                  <listeners>
                    <tcp-listener><port>%d</port><bind-address>127.0.0.1</bind-address></tcp-listener>
                  </listeners>
                  <persistence><mode>in-memory</mode></persistence>
                  <mqtt><packets><max-packet-size>262144</max-packet-size></packets></mqtt>
                  <anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>
                </hivemq>
                """.formatted(port);
    }

    private static int freePort() throws IOException {
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return probe.getLocalPort();
        }
    }

    @Override
    public void close() {
        try {
            broker.stop().get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException("the broker did not stop", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** {@code EmbeddedBroker FOLDER PORT}: prints its address and runs until it is told to stop. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length != 2) {
            System.err.println("usage: FOLDER PORT");
            System.exit(2);
        }
        EmbeddedBroker broker = start(Path.of(arguments[0]), Integer.parseInt(arguments[1]));
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(ended::countDown, "stop"));
        System.out.println(broker.uri());
        ended.await();
    }
}
