package dev.holdfast.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.wire.Json;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server that may say anything, in any pieces, for as long as it likes, costs the client its bounds and no more. */
class UnixHttpClientTest {
    private static final Duration LONG = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    private ServerSocketChannel server;
    private UnixHttpClient client;

    @FunctionalInterface
    private interface Behaviour {
        void serve(SocketChannel channel) throws IOException, InterruptedException;
    }

    @BeforeEach
    void open() throws IOException {
        Path socket = folder.resolve("a.sock");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        client = new UnixHttpClient(socket);
    }

    @AfterEach
    void close() throws IOException {
        server.close();
    }

    private void behave(Behaviour behaviour) {
        Thread.ofVirtual().start(() -> {
            try (SocketChannel channel = server.accept()) {
                behaviour.serve(channel);
            } catch (IOException | InterruptedException e) {
                // The client hung up, which is what it should do.
            }
        });
    }

    private static void say(SocketChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private void answers(String... pieces) {
        behave(channel -> {
            channel.read(ByteBuffer.allocate(64 * 1024));
            for (String piece : pieces) {
                say(channel, piece);
            }
        });
    }

    @Test
    void readsAReplyWithALengthInAnyPieces() throws Exception {
        answers("HTTP/1.1 20", "0 OK\r\ncontent-le", "ngth: 7\r\n\r\n{\"a\"", ":1}");
        assertThat(client.get("/", LONG))
                .isEqualTo(new UnixHttpClient.Reply(200, Json.object().put("a", 1)));
    }

    @Test
    void readsChunksAndAReplyThatEndsWithTheConnection() throws Exception {
        answers("HTTP/1.1 422 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n");
        assertThat(client.get("/", LONG).status()).isEqualTo(422);
        answers("HTTP/1.1 200 OK\r\n\r\n{}");
        assertThat(client.get("/", LONG).body()).isEqualTo(Json.object());
    }

    @Test
    void sendsAWholeRequest() throws Exception {
        CompletableFuture<String> seen = new CompletableFuture<>();
        behave(channel -> {
            ByteBuffer bytes = ByteBuffer.allocate(4096);
            channel.read(bytes);
            seen.complete(new String(bytes.array(), 0, bytes.position(), StandardCharsets.US_ASCII));
            say(channel, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        });
        client.post("/p", Json.object().put("b", 2), LONG);
        assertThat(seen.get())
                .startsWith("POST /p HTTP/1.1\r\nHost: localhost\r\n")
                .contains("Content-Length: 7\r\n")
                .endsWith("\r\n\r\n{\"b\":2}");
    }

    @Test
    void aSilentServerCostsTheDeadline() {
        behave(channel -> new CountDownLatch(1).await());
        long start = System.nanoTime();
        assertThatThrownBy(() -> client.get("/", Duration.ofMillis(200)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("no answer within");
        assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(10));
    }

    /** connect(2) of a Unix socket waits for a place in the listener's queue, which a process that accepts nobody never gives. */
    @Test
    void aListenerThatAcceptsNobodyCostsTheDeadline() throws Exception {
        Path full = folder.resolve("full.sock");
        List<SocketChannel> queued = new ArrayList<>();
        try (ServerSocketChannel deaf = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            deaf.bind(UnixDomainSocketAddress.of(full), 1);
            boolean taken = true;
            while (taken) {
                SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                queued.add(channel);
                channel.configureBlocking(false);
                try {
                    taken = channel.connect(UnixDomainSocketAddress.of(full));
                } catch (IOException e) {
                    taken = false;
                }
            }
            long start = System.nanoTime();
            assertThatThrownBy(() -> new UnixHttpClient(full).get("/", Duration.ofMillis(300)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("no answer within");
            assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(10));
        } finally {
            for (SocketChannel channel : queued) {
                channel.close();
            }
        }
    }

    @Test
    void aRefusalThatComesBeforeTheEndOfTheRequestIsRead() throws Exception {
        behave(channel -> {
            channel.read(ByteBuffer.allocate(1024));
            say(channel, "HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\n{}");
        });
        String large = "x".repeat(2 * 1024 * 1024);
        assertThat(client.post("/", Json.object().put("large", large), LONG).status())
                .isEqualTo(413);
    }

    /** Each byte is progress, and still the call ends. */
    @Test
    void aServerThatDripsCostsTheDeadline() {
        behave(channel -> {
            while (true) {
                say(channel, "H");
                LockSupport.parkNanos(5_000_000);
            }
        });
        assertThatThrownBy(() -> client.get("/", Duration.ofMillis(300))).isInstanceOf(IOException.class);
    }

    @Test
    void anEndlessHeadIsRefused() {
        behave(channel -> {
            say(channel, "HTTP/1.1 200 OK\r\n");
            while (true) {
                say(channel, "x: " + "y".repeat(1000) + "\r\n");
            }
        });
        assertThatThrownBy(() -> client.get("/", LONG)).hasMessageContaining("WIRE-TOO-LARGE");
    }

    @Test
    void anEndlessBodyIsRefusedAtItsBound() {
        behave(channel -> {
            say(channel, "HTTP/1.1 200 OK\r\n\r\n");
            while (true) {
                say(channel, " ".repeat(64 * 1024));
            }
        });
        assertThatThrownBy(() -> client.get("/", LONG)).hasMessageContaining("WIRE-TOO-LARGE");
    }

    @Test
    void aLengthThatPromisesTooMuchIsRefusedBeforeTheBody() {
        answers("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n");
        assertThatThrownBy(() -> client.get("/", LONG)).hasMessageContaining("WIRE-TOO-LARGE");
    }

    @Test
    void aReplyThatIsCutOffIsRefused() {
        answers("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"a\"");
        assertThatThrownBy(() -> client.get("/", LONG)).hasMessageContaining("WIRE-FIELD");
    }

    @Test
    void twoFramingsAreRefused() {
        answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}");
        assertThatThrownBy(() -> client.get("/", LONG)).hasMessageContaining("WIRE-FIELD");
    }

    @Test
    void whatIsNotJsonIsRefused() {
        answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
        assertThatThrownBy(() -> client.get("/", LONG)).hasMessageContaining("WIRE-JSON");
    }

    @Test
    void nobodyThereIsAnIoException() throws Exception {
        server.close();
        assertThatThrownBy(() -> client.get("/", LONG))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("a.sock");
    }

    @Test
    void anInterruptEndsTheCall() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        behave(channel -> {
            begun.countDown();
            new CountDownLatch(1).await();
        });
        CompletableFuture<Throwable> ended = new CompletableFuture<>();
        Thread caller = Thread.ofPlatform().start(() -> {
            try {
                client.get("/", LONG);
            } catch (IOException e) {
                ended.complete(e);
            }
        });
        begun.await();
        caller.interrupt();
        assertThat(ended.get(5, TimeUnit.SECONDS)).hasMessageContaining("interrupted");
    }
}
