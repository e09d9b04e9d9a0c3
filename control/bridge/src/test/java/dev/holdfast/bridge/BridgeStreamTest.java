package dev.holdfast.bridge;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Answers on their way through a bridge, where the inference process or the client does not keep to the rules. */
@Timeout(60)
class BridgeStreamTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String CHUNKED =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n";
    private static final String ASKED = RawClient.post("/v1/chat/completions", "", "{}");

    @TempDir
    Path folder;

    private @Nullable ScriptedInference inference;
    private @Nullable Bridge bridge;

    private int start(Duration stall, ScriptedInference.Script script) throws IOException {
        Path socket = folder.resolve("api.sock");
        inference = new ScriptedInference(socket, script);
        bridge = Bridge.start(new Bridge.Settings(Loopback.IPV4, 0, socket, Optional.empty(), stall));
        return bridge.port();
    }

    @AfterEach
    void stop() throws IOException {
        if (bridge != null) {
            bridge.close();
        }
        if (inference != null) {
            inference.close();
        }
    }

    private int running() {
        return bridge == null ? -1 : bridge.running();
    }

    private List<String> heads() {
        return inference == null ? List.of() : inference.heads();
    }

    private int upstream() {
        return inference == null ? -1 : inference.open();
    }

    @Test
    void aStreamThatIsCutUpstreamIsCutDownstream() throws Exception {
        int port = start(LIMIT, channel -> {
            ScriptedInference.write(channel, CHUNKED + "\r\n5\r\ndata:\r\n");
            ScriptedInference.write(channel, "4\r\nmore\r\n");
        });
        assertThat(RawClient.exchange(port, ASKED))
                .startsWith("HTTP/1.1 200")
                .contains("data:", "more")
                .doesNotContain("0\r\n\r\n");
        assertThat(running()).isZero();
    }

    @Test
    void aWholeStreamEndsAsOne() throws Exception {
        int port = start(LIMIT, channel -> {
            ScriptedInference.write(channel, CHUNKED + "\r\n5\r\ndata:\r\n");
            ScriptedInference.write(channel, "0\r\n\r\n");
            ScriptedInference.untilTheEnd(channel);
        });
        assertThat(RawClient.exchange(port, ASKED)).contains("data:").endsWith("\r\n0\r\n\r\n");
    }

    @Test
    void anAnswerThatIsShorterThanItSaysIsNotMadeToFit() throws Exception {
        int port = start(
                LIMIT,
                channel -> ScriptedInference.write(channel, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"));
        assertThat(RawClient.exchange(port, ASKED))
                .startsWith("HTTP/1.1 200")
                .containsIgnoringCase("content-length: 100")
                .endsWith("half");
    }

    /** Whether it is whole can be told by nobody. */
    @Test
    void anAnswerThatDoesNotSayWhereItEndsIsRefused() throws Exception {
        int port = start(LIMIT, channel -> ScriptedInference.write(channel, "HTTP/1.1 200 OK\r\n\r\nall or a part"));
        assertThat(RawClient.exchange(port, ASKED)).startsWith("HTTP/1.1 503").contains("API-UNREACHABLE");
    }

    @Test
    void noAnswerAtAllIsSaid() throws Exception {
        int port = start(LIMIT, channel -> {});
        assertThat(RawClient.exchange(port, ASKED)).startsWith("HTTP/1.1 503").contains("API-UNREACHABLE");
        assertThat(running()).isZero();
    }

    @Test
    void onlyWhatTheApiReadsGoesUpAndNoHeaderOfCorsComesDown() throws Exception {
        int port = start(
                LIMIT,
                channel -> ScriptedInference.write(
                        channel,
                        "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nKeep-Alive: 5\r\nHoldfast-Ignored: seed\r\n"
                                + "Content-Length: 2\r\n\r\nok"));
        String answer = RawClient.exchange(
                port,
                RawClient.head(
                                "POST",
                                "/v1/chat/completions?x=1",
                                "0123456789abcdef",
                                List.of(
                                        "Upgrade: h2c",
                                        "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
                                        "Cookie: a=b",
                                        "X-Forwarded-For: 192.0.2.1",
                                        "Holdfast-Strict: 1",
                                        "Content-Type: application/json",
                                        "Transfer-Encoding: chunked"))
                        + "2\r\n{}\r\n0\r\n\r\n");
        assertThat(answer)
                .startsWith("HTTP/1.1 200")
                .contains("Holdfast-Ignored: seed")
                .doesNotContainIgnoringCase("access-control")
                .doesNotContainIgnoringCase("keep-alive")
                .endsWith("ok");
        assertThat(heads()).hasSize(1);
        assertThat(heads().getFirst().toLowerCase(Locale.ROOT))
                .startsWith("post /v1/chat/completions?x=1 http/1.1\r\n")
                .contains("host: localhost\r\n", "holdfast-strict: 1\r\n", "content-length: 2\r\n")
                .doesNotContain("authorization", "upgrade", "http2", "cookie", "forwarded", "transfer-encoding");
    }

    /** A token a second; the client reads one and goes. */
    @Test
    void aClientThatGoesAwayEndsItsQuestion() throws Exception {
        int port = start(LIMIT, channel -> {
            ScriptedInference.write(channel, CHUNKED + "\r\n4\r\none \r\n");
            ScriptedInference.untilTheEnd(channel);
        });
        try (RawClient client = new RawClient(port)) {
            client.send(ASKED).until("one ");
            assertThat(running()).isOne();
        }
        Awaitility.await().atMost(Duration.ofSeconds(2)).until(() -> upstream() == 0);
        assertThat(running()).isZero();
    }

    @Test
    void aClientThatGoesAwayBeforeItsAnswerBeginsEndsItsQuestion() throws Exception {
        int port = start(LIMIT, ScriptedInference::untilTheEnd);
        try (RawClient client = new RawClient(port)) {
            client.send(ASKED);
            Awaitility.await().atMost(LIMIT).until(() -> heads().size() == 1);
        }
        Awaitility.await().atMost(Duration.ofSeconds(2)).until(() -> upstream() == 0);
        assertThat(running()).isZero();
    }

    private static final int CHUNK_BYTES = 16 * 1024;
    private static final int CHUNKS = 2_000;

    /** As an inference process does: it closes the connection where it is asked to. */
    private void write(SocketChannel channel, int chunks, AtomicLong taken) throws IOException {
        ScriptedInference.write(channel, CHUNKED + "\r\n");
        String chunk = Integer.toHexString(CHUNK_BYTES) + "\r\n" + "x".repeat(CHUNK_BYTES) + "\r\n";
        for (int i = 0; i < chunks; i++) {
            ScriptedInference.write(channel, chunk);
            taken.addAndGet(CHUNK_BYTES);
        }
        ScriptedInference.write(channel, "0\r\n\r\n");
        if (!heads().getLast().toLowerCase(Locale.ROOT).contains("connection: close")) {
            ScriptedInference.untilTheEnd(channel);
        }
    }

    @Test
    void aSlowReaderHoldsUpWhoWritesAndGetsEveryByte() throws Exception {
        AtomicLong taken = new AtomicLong();
        int port = start(LIMIT, channel -> write(channel, CHUNKS, taken));
        try (RawClient client = new RawClient(port, 64 * 1024)) {
            client.send(ASKED).until("\r\n\r\n");
            // It reads no more, until nothing goes on.
            long[] before = {-1};
            Awaitility.await()
                    .pollInterval(Duration.ofMillis(300))
                    .atMost(LIMIT)
                    .until(() -> before[0] == (before[0] = taken.get()) && taken.get() > 0);
            assertThat(taken.get()).as("what the bridge took of 32 MB").isLessThan(4L << 20);
            String rest = new String(client.rest(), StandardCharsets.US_ASCII);
            assertThat(rest.endsWith("\r\n0\r\n\r\n")).as("it is whole").isTrue();
            assertThat(rest.chars().filter(c -> c == 'x').count())
                    .isBetween((long) (CHUNKS - 2) * CHUNK_BYTES, (long) CHUNKS * CHUNK_BYTES);
        }
        assertThat(taken.get()).isEqualTo((long) CHUNKS * CHUNK_BYTES);
    }

    /** The inference process is done with it; some is in the kernel, on either side of the bridge. */
    @ParameterizedTest
    @ValueSource(ints = {12, 18, 24, 30, 36, 42})
    void whatAReaderHasNotTakenWhenItsAnswerIsWrittenStillComes(int chunks) throws Exception {
        AtomicLong taken = new AtomicLong();
        int port = start(LIMIT, channel -> write(channel, chunks, taken));
        try (RawClient client = new RawClient(port, 64 * 1024)) {
            client.send(ASKED).until("\r\n\r\n");
            Awaitility.await()
                    .during(Duration.ofMillis(300))
                    .atMost(LIMIT)
                    .until(() -> taken.get() == (long) chunks * CHUNK_BYTES);
            assertThat(new String(client.rest(), StandardCharsets.US_ASCII).endsWith("\r\n0\r\n\r\n"))
                    .as("it is whole")
                    .isTrue();
        }
    }

    @Test
    void aReaderThatTakesNothingLosesItsAnswer() throws Exception {
        int port = start(Duration.ofMillis(500), channel -> write(channel, CHUNKS, new AtomicLong()));
        try (RawClient client = new RawClient(port, 64 * 1024)) {
            client.send(ASKED);
            Awaitility.await().atMost(LIMIT).until(() -> heads().size() == 1);
            Awaitility.await().atMost(Duration.ofSeconds(5)).until(() -> running() == 0 && upstream() == 0);
            assertThat(new String(client.rest(), StandardCharsets.US_ASCII).endsWith("0\r\n\r\n"))
                    .as("it looks whole")
                    .isFalse();
        }
    }

    @Test
    void requestsBeyondItsBoundHearIt() throws Exception {
        int port = start(LIMIT, ScriptedInference::untilTheEnd);
        List<RawClient> clients = new ArrayList<>();
        try {
            for (int i = 0; i < Bridge.REQUESTS; i++) {
                RawClient client = new RawClient(port);
                clients.add(client);
                client.send(ASKED);
            }
            Awaitility.await().atMost(LIMIT).until(() -> running() == Bridge.REQUESTS);
            assertThat(RawClient.exchange(port, ASKED))
                    .startsWith("HTTP/1.1 429")
                    .containsIgnoringCase("retry-after: ")
                    .contains("API-BUSY");
        } finally {
            for (RawClient each : clients) {
                each.close();
            }
        }
        Awaitility.await().atMost(LIMIT).until(() -> running() == 0 && upstream() == 0);
    }
}
