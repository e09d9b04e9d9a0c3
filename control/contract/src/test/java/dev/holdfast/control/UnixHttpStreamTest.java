package dev.holdfast.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
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
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An answer in events is whole, or it is told as cut; and whatever the server says, the client pays its bounds and no more. */
@Timeout(30)
class UnixHttpStreamTest {
    private static final String HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    private static final UnixHttpClient.StreamBounds BOUNDS =
            new UnixHttpClient.StreamBounds(1024 * 1024, Duration.ofSeconds(20), Duration.ofSeconds(25));

    @TempDir
    Path folder;

    private ServerSocketChannel server;
    private UnixHttpClient client;
    private final List<JsonNode> events = new ArrayList<>();

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

    /** @param more what is said without end behind {@code first}; empty to hang up, or a blank to be silent */
    private void says(String first, String more) {
        Thread.ofVirtual().start(() -> {
            try (SocketChannel channel = server.accept()) {
                channel.read(ByteBuffer.allocate(64 * 1024));
                say(channel, first);
                if (more.isBlank()) {
                    while (!more.isEmpty() && channel.read(ByteBuffer.allocate(64)) >= 0) {
                        // Silent until the client hangs up.
                    }
                    return;
                }
                while (true) {
                    say(channel, more);
                }
            } catch (IOException e) {
                // The client hung up, which is what it should do.
            }
        });
    }

    private static void say(SocketChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private Optional<UnixHttpClient.Reply> ask(UnixHttpClient.StreamBounds bounds) throws Exception {
        return client.stream("/", Json.object(), bounds, events::add);
    }

    private void isCut() {
        assertThatThrownBy(() -> ask(BOUNDS))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.rejection().code()).isEqualTo(Code.API_INTERNAL))
                .hasMessageContaining("cut");
    }

    @Test
    void takesEachEventUpToTheEndAndPassesOverComments() throws Exception {
        says(HEAD + ": waiting\n\ndata: {\"a\":1}\r\n\r\ndata:{\"b\":\"ä\"}\n\nevent: x\ndata: [DONE]\n\n", " ");
        assertThat(ask(BOUNDS)).isEmpty();
        assertThat(events)
                .containsExactly(Json.object().put("a", 1), Json.object().put("b", "ä"));
    }

    @Test
    void anAnswerWithoutItsEndIsToldAsCut() {
        says(HEAD + "data: {\"a\":1}\n\n", "");
        isCut();
        assertThat(events).hasSize(1);
        says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: {}\r\n", "");
        isCut();
        says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "");
        isCut();
    }

    @Test
    void anEventWithoutEndAndEventsWithoutEndAreRefused() {
        says(HEAD + "data: {", "x".repeat(1000));
        isCut();
        says(HEAD, "data: {}\n\n".repeat(100));
        isCut();
        assertThat(events.size()).isLessThan(BOUNDS.totalBytes() / 10 + 1);
        says(HEAD, ":\n".repeat(500));
        isCut();
        says(HEAD + "data: [1]\n\n", " ");
        isCut();
    }

    @Test
    void aServerThatFallsSilentCostsThePatienceForSilence() {
        UnixHttpClient.StreamBounds quick =
                new UnixHttpClient.StreamBounds(1024, Duration.ofMillis(300), Duration.ofSeconds(25));
        says(HEAD + "data: {}\n\n", " ");
        assertThatThrownBy(() -> ask(quick)).isInstanceOf(IOException.class).hasMessageContaining("no answer within");
        says("", " ");
        assertThatThrownBy(() -> ask(quick)).isInstanceOf(IOException.class).hasMessageContaining("no answer within");
    }

    @Test
    void aRefusalIsAReply() throws Exception {
        says("HTTP/1.1 429 X\r\n\r\n{\"code\":1}", "");
        assertThat(ask(BOUNDS).orElseThrow().status()).isEqualTo(429);
    }

    @Test
    void whatTheTakerThrowsEndsTheCall() {
        says(HEAD, "data: {}\n\n");
        RejectedException busy = new RejectedException(Code.API_BUSY, "later");
        assertThatThrownBy(() -> client.stream("/", Json.object(), BOUNDS, event -> {
                    throw busy;
                }))
                .isSameAs(busy);
    }
}
