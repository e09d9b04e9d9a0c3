package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.ChainModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A stream that is cut ends as one that was: by an event that says why, or without the end that a whole one has. */
class StreamEndsTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final Duration LONG = Duration.ofMinutes(5);
    private static final int PER_SECOND = 10;
    private static final Pattern MADE =
            Pattern.compile("(?m)^holdfast_generation_tokens_total\\{model=\"intent\"} (\\d+)");

    @TempDir
    Path folder;

    private TinyStore store;
    private ObjectNode slot;
    private SocketPaths sockets;
    private @Nullable InferenceDaemon daemon;

    @BeforeEach
    void store() throws Exception {
        store = new TinyStore(folder.resolve("store"));
        Path file = folder.resolve("chain.gguf");
        // Each token is a letter, so that each is an event.
        new ChainModel()
                .chain("<s>", "\u2581x", "a", "b", "a")
                .chain("<|assistant|>", "a")
                .write(file);
        slot = store.add("1.0.0", Files.readAllBytes(file));
        store.serving(slot, null);
        sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
    }

    private void start(Duration whole) throws IOException {
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(),
                sockets,
                new InferenceConfig.Limits(
                        2, 4, 256, 1, CacheType.DEFAULT, 0, UserShare.of(2, 4), RequestClock.Limits.of(whole))));
    }

    @AfterEach
    void stop() {
        if (daemon != null) {
            daemon.close();
            daemon = null;
        }
    }

    /** One stream, read from the socket itself. */
    private final class Stream implements AutoCloseable {
        private final SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(sockets.inference()));
        private final ByteArrayOutputStream heard = new ByteArrayOutputStream();

        Stream(String path, int tokens) throws IOException {
            String body =
                    "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"prompt\":\"x\",\"stream\":true,\"ignore_eos\":true"
                            + ",\"max_tokens\":" + tokens + ",\"tokens_per_second\":" + PER_SECOND + "}";
            if (path.equals("/v1/responses")) {
                body = body.replace("\"prompt\"", "\"input\"").replace("max_tokens", "max_output_tokens");
            }
            channel.write(ByteBuffer.wrap(
                    ("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
                                    + body.length() + "\r\n\r\n" + body)
                            .getBytes(StandardCharsets.US_ASCII)));
        }

        private boolean more() throws IOException {
            ByteBuffer in = ByteBuffer.allocate(1 << 12);
            boolean more = channel.read(in) >= 0;
            heard.write(in.array(), 0, in.position());
            return more;
        }

        String text() {
            return heard.toString(StandardCharsets.UTF_8);
        }

        /** Pieces of text so far. */
        int pieces() {
            return text().split("\"(content|text|delta)\":\"[ab]\"", -1).length - 1;
        }

        void awaitPieces(int count) throws IOException {
            while (pieces() < count) {
                assertThat(more()).as(text()).isTrue();
            }
        }

        /** Reads to the end; a connection that is reset ends there. */
        String rest() {
            try {
                while (more()) {
                    // Goes on.
                }
            } catch (IOException reset) {
                heard.writeBytes("<reset>".getBytes(StandardCharsets.US_ASCII));
            }
            return text();
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    private static void assertCut(String heard) {
        assertThat(heard)
                .startsWith("HTTP/1.1 200")
                .doesNotContain("[DONE]", "response.completed", "response.incomplete", "\"finish_reason\":\"stop\"")
                .doesNotContain("\"finish_reason\":\"length\"", "\"finish_reason\":\"cancelled\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/chat/completions", "/v1/completions", "/v1/responses"})
    void aFaultOfTheEngineIsAnEvent(String path) throws Exception {
        start(LONG);
        try (Stream stream = new Stream(path, 200)) {
            stream.awaitPieces(3);
            Path blob = store.blobs().resolve(slot.get("digest").textValue());
            try (FileChannel file = FileChannel.open(blob, StandardOpenOption.WRITE)) {
                file.truncate(4096);
            }
            assertCut(stream.rest());
            assertThat(stream.text()).contains("API-INTERNAL", "java.lang.InternalError");
            assertThat(stream.text()).contains(path.equals("/v1/responses") ? "response.failed" : "data: {\"error\":");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/chat/completions", "/v1/completions", "/v1/responses"})
    void theEndOfItsTimeIsAnEvent(String path) throws Exception {
        start(Duration.ofSeconds(1));
        try (Stream stream = new Stream(path, 200)) {
            assertCut(stream.rest());
            assertThat(stream.pieces()).isPositive();
            assertThat(stream.text()).contains("API-DEADLINE");
            assertThat(stream.text()).contains(path.equals("/v1/responses") ? "response.failed" : "data: {\"error\":");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/chat/completions", "/v1/completions", "/v1/responses"})
    void theEndOfTheServiceIsNoEndOfAnAnswer(String path) throws Exception {
        start(LONG);
        try (Stream stream = new Stream(path, 200)) {
            stream.awaitPieces(3);
            stop();
            assertCut(stream.rest());
            // The last chunk of a body would say that it is whole.
            assertThat(stream.text()).doesNotContain("\r\n0\r\n\r\n");
        }
    }

    @Test
    void aModelThatIsRetiredAnswersToTheEnd() throws Exception {
        start(LONG);
        try (Stream stream = new Stream("/v1/chat/completions", 15)) {
            stream.awaitPieces(3);
            new InferenceClient(sockets.inferenceControl()).keep(new ServingSet(Optional.empty(), List.of()));
            stream.awaitPieces(15);
            while (!stream.text().contains("[DONE]")) {
                assertThat(stream.more()).as(stream.text()).isTrue();
            }
            assertThat(stream.text()).contains("\"finish_reason\":\"length\"").doesNotContain("error");
        }
        Awaitility.await()
                .atMost(LIMIT)
                .until(() -> requireNonNull(daemon).status().draining() == 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/chat/completions", "/v1/responses"})
    void nothingIsMadeForWhoHasHungUp(String path) throws Exception {
        start(LONG);
        int pieces;
        try (Stream stream = new Stream(path, 200)) {
            stream.awaitPieces(4);
            pieces = stream.pieces();
        }
        Awaitility.await()
                .atMost(LIMIT)
                .until(() -> requireNonNull(daemon).status().requestsActive() == 0);
        Awaitility.await().atMost(LIMIT).untilAsserted(() -> {
            Matcher made =
                    MADE.matcher(new Curl(sockets.inference()).get("/metrics").body());
            assertThat(made.find()).isTrue();
            // One was in the making when the client left.
            assertThat(Integer.parseInt(made.group(1))).isBetween(pieces, pieces + 1);
        });
    }
}
