package dev.holdfast.bridge;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.control.UnixHttpClient;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.inference.InferenceConfig;
import dev.holdfast.inference.InferenceDaemon;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A bridge before a real inference process: who is let through, and what is passed on. */
@Timeout(60)
class BridgeTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String CHAT = "/v1/chat/completions";
    private static final String HELLO =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":8,\"ignore_eos\":true";
    private static final String SLOW =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"ignore_eos\":true,\"stream\":true,\"tokens_per_second\":5}";

    @TempDir
    Path folder;

    private Path socket;
    private String token;
    private Bridge bridge;
    private @Nullable InferenceDaemon daemon;

    @BeforeEach
    void start() throws Exception {
        socket = folder.resolve("api.sock");
        startInference();
        Path file = folder.resolve("token");
        Token known = Token.at(file, new SecureRandom());
        token = Files.readString(file).strip();
        bridge = Bridge.start(new Bridge.Settings(Loopback.IPV4, 0, socket, Optional.of(known), Bridge.Settings.STALL));
    }

    private void startInference() throws Exception {
        TinyStore store = new TinyStore(folder.resolve("store"));
        Slot chat = Slot.read(store.add("1.0.0", 1, TinyModel.Flaw.NONE)).orThrow();
        store.point(
                Pointer.NOTHING.with(new PointerEntry(chat, Optional.empty())).withDefault("intent"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(),
                new SocketPaths(folder.resolve("agent.sock"), socket, folder.resolve("control.sock")),
                new InferenceConfig.Limits(2, 4, 256, 1, CacheType.DEFAULT, 0)));
    }

    @AfterEach
    void stop() {
        bridge.close();
        if (daemon != null) {
            daemon.close();
        }
    }

    private String exchange(String request) throws IOException {
        return RawClient.exchange(bridge.port(), request);
    }

    private String get(String path, String... more) throws IOException {
        return exchange(RawClient.head("GET", path, token, List.of(more)));
    }

    private static String withHost(String request, String line) {
        return request.replace("Host: 127.0.0.1\r\n", line);
    }

    // --- who is let through ---

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Origin: http://evil.example",
                "Origin: null",
                "Origin: http://127.0.0.1:8434",
                "Sec-Fetch-Site: cross-site",
                "Sec-Fetch-Site: same-origin",
                "Sec-Fetch-Site: none"
            })
    void whatAWebPageSendsIsRefused(String mark) throws Exception {
        String body = HELLO + "}";
        String post =
                exchange(RawClient.head("POST", CHAT, token, List.of(mark, "Content-Length: " + body.length())) + body);
        for (String answer : List.of(post, get("/v1/models", mark))) {
            assertThat(answer)
                    .startsWith("HTTP/1.1 403")
                    .contains("API-BROWSER")
                    .doesNotContainIgnoringCase("access-control");
        }
        assertThat(requireNonNull(daemon).status().requestsActive()).isZero();
    }

    @Test
    void aBrowsersQuestionWhetherItMayAskIsRefused() throws Exception {
        assertThat(exchange(RawClient.head(
                        "OPTIONS",
                        CHAT,
                        "",
                        List.of(
                                "Origin: http://evil.example",
                                "Access-Control-Request-Method: POST",
                                "Access-Control-Request-Headers: authorization"))))
                .startsWith("HTTP/1.1 403")
                .doesNotContainIgnoringCase("access-control");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Host: evil.example\r\n",
                "Host: evil.example:8434\r\n",
                "Host: 127.0.0.1.evil.example\r\n",
                "Host: localhost.evil.example\r\n",
                "Host: 127.0.0.1@evil.example\r\n",
                "Host: 0.0.0.0\r\n",
                "Host: 2130706433\r\n",
                "Host: localhost.\r\n",
                "Host: \r\n",
                "Host: 127.0.0.1\r\nHost: evil.example\r\n",
                ""
            })
    void aNameThatIsNotThisMachinesIsRefused(String host) throws Exception {
        assertThat(exchange(withHost(RawClient.head("GET", "/v1/models", token, List.of()), host)))
                .startsWith("HTTP/1.1 40")
                .contains("\"API-")
                .doesNotContain("intent");
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost", "LOCALHOST:80", "127.0.0.1:65535", "[::1]", "[::1]:8434"})
    void theNamesOfThisMachineAreTaken(String host) throws Exception {
        assertThat(exchange(withHost(RawClient.head("GET", "/v1/models", token, List.of()), "Host: " + host + "\r\n")))
                .startsWith("HTTP/1.1 200");
    }

    @Test
    void whoDoesNotSayTheTokenIsRefused() throws Exception {
        List<String> wrong = List.of(
                "",
                "Authorization: Bearer \r\n",
                "Authorization: Bearer " + token + "x\r\n",
                "Authorization: Bearer " + token.substring(1) + "\r\n",
                "Authorization: Basic " + token + "\r\n",
                "Authorization: " + token + "\r\n",
                "Authorization: Bearer " + token + "\r\nAuthorization: Bearer " + token + "\r\n",
                "X-Api-Key: " + token + "\r\n");
        for (String header : wrong) {
            for (String path : List.of("/v1/models", "/healthz", "/v1/attestation?nonce=0011223344556677", "/none")) {
                assertThat(exchange("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n"))
                        .as(header)
                        .startsWith("HTTP/1.1 401")
                        .containsIgnoringCase("www-authenticate: Bearer")
                        .contains("API-TOKEN", "invalid_api_key")
                        .doesNotContain(token);
            }
        }
    }

    @Test
    void whoSaysTheTokenIsAnswered() throws Exception {
        assertThat(get("/v1/models")).startsWith("HTTP/1.1 200").contains("intent@1.0.0");
        assertThat(get("/healthz")).startsWith("HTTP/1.1 200");
        assertThat(get("/readyz")).startsWith("HTTP/1.1 200");
        assertThat(exchange(RawClient.post(CHAT, token, HELLO + "}")))
                .startsWith("HTTP/1.1 200")
                .contains("\"finish_reason\":\"length\"");
        assertThat(exchange("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: bearer "
                        + token + "\r\n\r\n"))
                .as("the scheme has no case")
                .startsWith("HTTP/1.1 200");
    }

    @Test
    void withoutATokenEveryAccountIsAnsweredAndNoWebPage() throws Exception {
        try (Bridge open =
                Bridge.start(new Bridge.Settings(Loopback.IPV4, 0, socket, Optional.empty(), Bridge.Settings.STALL))) {
            assertThat(RawClient.exchange(open.port(), RawClient.head("GET", "/v1/models", "", List.of())))
                    .startsWith("HTTP/1.1 200");
            assertThat(RawClient.exchange(
                            open.port(),
                            RawClient.head("GET", "/v1/models", "", List.of("Origin: http://evil.example"))))
                    .startsWith("HTTP/1.1 403");
        }
    }

    /** This process is the inference process's own user, whom the socket tells its numbers. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "/metrics",
                "/v1/../metrics",
                "/v1/%2e%2E/metrics",
                "/v1/.%2e%2fmetrics",
                "/v1/..\\metrics",
                "//metrics",
                "/v1",
                "/control/v1/status",
                "http://localhost/metrics",
                "/"
            })
    void whatIsForOperatorsIsNotOffered(String path) throws Exception {
        try (SocketChannel direct = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            ScriptedInference.write(direct, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
            ByteBuffer in = ByteBuffer.allocate(12);
            direct.read(in);
            assertThat(new String(in.array(), StandardCharsets.US_ASCII)).isEqualTo("HTTP/1.1 200");
        }
        assertThat(get(path))
                .startsWith("HTTP/1.1 404")
                .contains("API-NOT-FOUND", "the bridge offers")
                .doesNotContain("gen_ai");
    }

    /** The test's user is the inference process's own, who may have them. */
    @Test
    void logProbabilitiesAreNotTold() throws Exception {
        String body = HELLO + ",\"logprobs\":true}";
        assertThat(exchange(RawClient.head("POST", CHAT, token, List.of("Content-Length: " + body.length())) + body))
                .startsWith("HTTP/1.1 403")
                .contains("API-FORBIDDEN")
                .contains("logprobs");
    }

    @Test
    void onlyGetAndPostAreOffered() throws Exception {
        for (String method : List.of("PUT", "DELETE", "HEAD", "TRACE", "CONNECT", "PATCH")) {
            assertThat(exchange(RawClient.head(method, "/v1/models", token, List.of())))
                    .as(method)
                    .startsWith("HTTP/1.1 40");
        }
    }

    @Test
    void listensOnLoopbackAlone() throws Exception {
        List<InetAddress> others = new ArrayList<>(List.of(InetAddress.ofLiteral("127.0.0.2")));
        NetworkInterface.networkInterfaces()
                .flatMap(NetworkInterface::inetAddresses)
                .filter(each -> !each.isLoopbackAddress())
                .forEach(others::add);
        for (InetAddress other : others) {
            assertThatThrownBy(() -> {
                        try (Socket connection = new Socket()) {
                            connection.connect(new InetSocketAddress(other, bridge.port()), 2_000);
                        }
                    })
                    .as(other.toString())
                    .isInstanceOf(IOException.class);
        }
        assertThatThrownBy(() -> Bridge.start(
                        new Bridge.Settings(Loopback.IPV4, bridge.port(), socket, Optional.empty(), LIMIT)))
                .as("a second bridge")
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot listen on 127.0.0.1:" + bridge.port());
    }

    // --- what is passed on ---

    @Test
    void anOfferToUpgradeIsPassedOver() throws Exception {
        String body = HELLO + "}";
        String request = "POST " + CHAT
                + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                + "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nAuthorization: Bearer " + token
                + "\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
        try (RawClient client = new RawClient(bridge.port())) {
            assertThat(client.send(request).until("finish_reason"))
                    .startsWith("HTTP/1.1 200")
                    .doesNotContain("101 Switching");
            assertThat(client.send(request).until("finish_reason"))
                    .as("the same connection goes on")
                    .startsWith("HTTP/1.1 200");
        }
        assertThat(exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).contains(" 501 ");
        assertThat(exchange(
                        "GET /v1/models HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\n\r\n"))
                .contains(" 400 ");
    }

    @Test
    void aStreamComesAsItIsMade() throws Exception {
        // The first answer of a process takes seconds in which its pace is behind.
        assertThat(exchange(RawClient.post(CHAT, token, HELLO + "}"))).startsWith("HTTP/1.1 200");
        try (RawClient client = new RawClient(bridge.port())) {
            client.send(RawClient.post(CHAT, token, SLOW.replace("}]", "}],\"max_tokens\":8")));
            String begun = client.until("data: ");
            assertThat(begun)
                    .startsWith("HTTP/1.1 200")
                    .contains("text/event-stream")
                    .doesNotContain("[DONE]");
            assertThat(requireNonNull(daemon).status().requestsActive()).isOne();
            String rest = new String(client.rest(), StandardCharsets.UTF_8);
            assertThat(rest).endsWith("\r\n0\r\n\r\n");
            // Chunks are cut anew on the way.
            assertThat(rest.replaceAll("\r\n[0-9a-f]+\r\n", "")).contains("data: [DONE]\n\n");
        }
    }

    @Test
    void aClientThatGoesAwayFreesItsSequence() throws Exception {
        for (int i = 0; i < 5; i++) {
            try (RawClient client = new RawClient(bridge.port())) {
                client.send(RawClient.post(CHAT, token, SLOW)).until("data: ");
                assertThat(requireNonNull(daemon).status().requestsActive()).isOne();
            }
            Awaitility.await()
                    .atMost(Duration.ofSeconds(2))
                    .until(() -> requireNonNull(daemon).status().requestsActive() == 0);
        }
        assertThat(bridge.running()).isZero();
    }

    @Test
    void aRefusalOfTheApiComesAsItIs() throws Exception {
        assertThat(exchange(RawClient.post(CHAT, token, HELLO.replace("{\"mess", "{\"model\":\"none\",\"mess") + "}")))
                .startsWith("HTTP/1.1 404")
                .contains("model_not_found");
        assertThat(exchange(RawClient.post(CHAT, token, "no json")))
                .startsWith("HTTP/1.1 400")
                .contains("WIRE-JSON");
    }

    @Test
    void aBodyThatIsTooLongIsRefused() throws Exception {
        assertThat(exchange(RawClient.post(CHAT, token, "x".repeat(Bridge.MAX_BODY_BYTES + 1))))
                .startsWith("HTTP/1.1 413")
                .contains("API-TOO-LARGE");
        String longest = " ".repeat(Bridge.MAX_BODY_BYTES - HELLO.length() - 1) + HELLO + "}";
        assertThat(exchange(RawClient.post(CHAT, token, longest)))
                .as("a mebibyte is the API's own bound")
                .startsWith("HTTP/1.1 200");
    }

    @Test
    void whileTheInferenceProcessIsAwayItIsSaid() throws Exception {
        requireNonNull(daemon).close();
        daemon = null;
        assertThat(get("/v1/models")).startsWith("HTTP/1.1 503").contains("API-UNREACHABLE");
        startInference();
        assertThat(get("/v1/models")).startsWith("HTTP/1.1 200");
        assertThat(new UnixHttpClient(socket).get("/v1/models", LIMIT).status()).isEqualTo(200);
    }

    // --- floods and junk ---

    @Test
    void threeHundredConnectionsAreServedOrHearThatThereIsNoPlace() throws Exception {
        List<RawClient> clients = new ArrayList<>();
        int served = 0;
        int refused = 0;
        try {
            for (int i = 0; i < 300; i++) {
                clients.add(new RawClient(bridge.port()));
            }
            for (RawClient each : clients) {
                try {
                    each.send(RawClient.head("GET", "/v1/models", token, List.of()));
                } catch (IOException e) {
                    // Hung up on while it asks; its answer is there to read.
                }
            }
            for (RawClient each : clients) {
                String answer = new String(each.rest(), StandardCharsets.UTF_8);
                switch (answer.substring(0, Math.min(12, answer.length()))) {
                    case "HTTP/1.1 200" -> served++;
                    case "HTTP/1.1 429" -> assertThat(answer).contains("as many as it may");
                    default -> {
                        assertThat(answer).startsWith("HTTP/1.1 503").contains("API-BUSY", "Retry-After: 1");
                        refused++;
                    }
                }
            }
        } finally {
            for (RawClient each : clients) {
                each.close();
            }
        }
        assertThat(served).isBetween(Bridge.REQUESTS, 256);
        assertThat(refused).isBetween(44, 300 - served);
        Awaitility.await()
                .atMost(LIMIT)
                .untilAsserted(() -> assertThat(get("/v1/models")).startsWith("HTTP/1.1 200"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\u0000\u0001\u0002\u0003\r\n\r\n",
                "GET\r\n\r\n",
                "GET / FTP/9\r\n\r\n",
                "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "GET /v1/models HTTP/1.1\r\nHost localhost\r\n\r\n",
                "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX: a\u0000b\r\n\r\n"
            })
    void junkIsRefusedAndTheNextIsServed(String junk) throws Exception {
        assertThat(exchange(junk)).matches("(?s)|HTTP/1\\.[01] 4\\d\\d .*").doesNotContain("intent");
        assertThat(get("/v1/models")).startsWith("HTTP/1.1 200");
    }

    @Test
    void aHeadThatIsTooLongIsRefused() throws Exception {
        String longer = "x".repeat(9 * 1024);
        assertThat(get("/v1/models", "X-Long: " + longer)).matches("(?s)HTTP/1\\.[01] 4.*API-REQUEST.*");
        assertThat(get("/v1/models?" + longer)).matches("(?s)HTTP/1\\.[01] 4.*API-REQUEST.*");
        // 64 MiB of a head that does not end: it is hung up on long before.
        try (RawClient client = new RawClient(bridge.port())) {
            client.send("GET /v1/models HTTP/1.1\r\nX: ");
            assertThatThrownBy(() -> {
                        for (int i = 0; i < 64 * 1024; i++) {
                            client.send("x".repeat(1024));
                        }
                    })
                    .isInstanceOf(IOException.class);
        }
        assertThat(get("/v1/models")).startsWith("HTTP/1.1 200");
    }

    @Test
    void aConnectionThatAsksNothingEnds() throws Exception {
        long begun = System.nanoTime();
        try (RawClient client = new RawClient(bridge.port())) {
            assertThat(client.some()).isEmpty();
        }
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isBetween(Duration.ofSeconds(4), Duration.ofSeconds(8));
    }
}
