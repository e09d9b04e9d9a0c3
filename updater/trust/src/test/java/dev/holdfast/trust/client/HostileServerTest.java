package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A server of metadata, or whoever sits before it, that never comes to an end: it costs its time and its bytes, and no more. */
@Timeout(60)
class HostileServerTest {
    private static final int MAX_BYTES = 256 * 1024;
    private static final Duration PATIENCE = Duration.ofMillis(500);
    /** What the client, its reader threads and the kernel buffer beside the file itself. */
    private static final long MAX_TAKEN = 16L << 20;

    private enum Behaviour {
        ENDLESS_BODY("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(64 * 1024), 0),
        ENDLESS_CHUNKS(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1000\r\n" + "x".repeat(4096) + "\r\n", 0),
        HUGE_LENGTH("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "x".repeat(64 * 1024), 0),
        ENDLESS_HEADERS("HTTP/1.1 200 OK\r\n", "X-A: " + "y".repeat(4000) + "\r\n", 0),
        ENDLESS_CONTINUES("", "HTTP/1.1 100 Continue\r\n\r\n", 0),
        TRICKLING_HEADERS("HTTP/1.1 200 OK\r\n", "X", 20),
        TRICKLING_BODY("HTTP/1.1 200 OK\r\n\r\n", "x", 20),
        NOTHING("", "", 20);

        private final String begin;
        private final String again;
        private final int pauseMillis;

        Behaviour(String begin, String again, int pauseMillis) {
            this.begin = begin;
            this.again = again;
            this.pauseMillis = pauseMillis;
        }
    }

    private final AtomicLong taken = new AtomicLong();
    private volatile Behaviour behaviour = Behaviour.NOTHING;
    private ServerSocket server;

    @BeforeEach
    void open() throws IOException {
        server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
        Thread.ofPlatform().daemon().start(() -> {
            while (!server.isClosed()) {
                try {
                    Socket socket = server.accept();
                    Thread.ofVirtual().start(() -> answer(socket));
                } catch (IOException e) {
                    return;
                }
            }
        });
    }

    @AfterEach
    void close() throws IOException {
        server.close();
    }

    private void answer(Socket socket) {
        try (socket) {
            OutputStream out = socket.getOutputStream();
            Behaviour now = behaviour;
            say(out, now.begin);
            while (true) {
                say(out, now.again);
                if (now.pauseMillis > 0) {
                    Thread.sleep(now.pauseMillis);
                    if (now == Behaviour.NOTHING && server.isClosed()) {
                        return;
                    }
                }
            }
        } catch (IOException e) {
            // The client hung up, as it should.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void say(OutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        out.write(bytes);
        taken.addAndGet(bytes.length);
    }

    @ParameterizedTest
    @EnumSource(Behaviour.class)
    void costsItsTimeAndItsBytes(Behaviour hostile) {
        behaviour = hostile;
        HttpRepository repository = new HttpRepository("http://127.0.0.1:" + server.getLocalPort() + "/", PATIENCE);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        long begun = System.nanoTime();
        assertThatThrownBy(() -> repository.fetch("timestamp.json", MAX_BYTES)).isInstanceOf(IOException.class);
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(5));
        assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(32L << 20);
        assertThat(taken.get()).isLessThan(MAX_TAKEN);
    }
}
