package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.sockets.Peer;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.SlotId;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.assertj.core.api.Assertions;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InferenceDaemonTest {
    private static final String HELLO =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":8,\"ignore_eos\":true";

    @TempDir
    Path folder;

    private TinyStore store;
    private InferenceDaemon daemon;
    private Curl api;
    private Curl control;
    private ObjectNode one;

    @BeforeEach
    void start() throws Exception {
        store = new TinyStore(folder.resolve("store"));
        one = store.add("1.0.0", 1, TinyModel.Flaw.NONE);
        store.serving(one, null);
        open();
    }

    private void open() throws IOException {
        InferenceConfig config = InferenceConfig.of(
                store.folder(), sockets(), new InferenceConfig.Limits(2, 2, 256, 1, CacheType.DEFAULT, 0));
        daemon = InferenceDaemon.start(config);
        api = new Curl(config.sockets().inference());
        control = new Curl(config.sockets().inferenceControl());
    }

    private SocketPaths sockets() {
        return new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
    }

    @AfterEach
    void stop() {
        daemon.close();
        assertThat(folder.resolve("api.sock")).doesNotExist();
        assertThat(folder.resolve("control.sock")).doesNotExist();
    }

    @Test
    void servesTheStoredModelAndSaysSo() throws Exception {
        Curl.Answer health = api.get("/healthz");
        assertThat(health.status()).isEqualTo(200);
        JsonNode models = api.get("/v1/models").json();
        assertThat(models.at("/data/0/id").textValue()).isEqualTo("intent@1.0.0");
        JsonNode status = control.get("/control/v1/status").json();
        assertThat(status.at("/default").textValue()).isEqualTo("intent");
        assertThat(status.at("/serving/0/digest")).isEqualTo(one.get("digest"));
        assertThat(status.at("/serving/0/slot").textValue())
                .isEqualTo(slotId(one).hex());
        assertThat(status.get("candidates")).isEmpty();
        assertThat(status.at("/memory/usedBytes").longValue())
                .isBetween(
                        one.get("length").longValue(),
                        status.at("/memory/budgetBytes").longValue());
        assertThat(status.get("pid").longValue())
                .isEqualTo(ProcessHandle.current().pid());
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("api.sock"))))
                .isEqualTo("rw-rw----");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("control.sock"))))
                .isEqualTo("rw-------");
    }

    @Test
    void answersPlainAndAsAStream() throws Exception {
        JsonNode plain = api.post("/v1/chat/completions", HELLO + "}").json();
        assertThat(plain.get("model").textValue()).isEqualTo("intent@1.0.0");
        assertThat(plain.get("system_fingerprint").textValue())
                .isEqualTo("sha256:" + one.get("digest").textValue().substring(0, 16));
        assertThat(plain.at("/choices/0/finish_reason").textValue()).isEqualTo("length");
        assertThat(plain.at("/usage/completion_tokens").intValue()).isEqualTo(8);
        assertThat(plain.at("/usage/prompt_tokens").intValue()).isEqualTo(5);

        List<String> events = api.post(
                        "/v1/chat/completions",
                        HELLO + ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"model\":\"intent\"}")
                .events();
        assertThat(events.getLast()).isEqualTo("[DONE]");
        StringBuilder text = new StringBuilder();
        for (String event : events.subList(0, events.size() - 1)) {
            text.append(TinyStore.node(event).at("/choices/0/delta/content").asText(""));
        }
        assertThat(text.toString())
                .isEqualTo(plain.at("/choices/0/message/content").textValue());
        assertThat(TinyStore.node(events.get(events.size() - 2))
                        .at("/usage/total_tokens")
                        .intValue())
                .isEqualTo(13);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{}",
                "{\"messages\":[]}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":-1}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":1e99}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":\"hot\"}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":NaN}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tokens_per_second\":100000}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true,\"stream\":false}",
                "{\"messages\":[{\"role\":\"root\",\"content\":\"hi\"}]}",
                "{\"messages\":[{\"role\":\"user\",\"content\":7}]}"
            })
    void refusesMalformedRequests(String body) throws Exception {
        Curl.Answer answer = api.post("/v1/chat/completions", body);
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/error/type").textValue()).isEqualTo("invalid_request_error");
        assertThat(answer.json().at("/code").textValue()).matches("(API|WIRE)-[A-Z-]+");
    }

    @Test
    void continuesAPlainText() throws Exception {
        String prompt = "{\"prompt\":\"on the light\",\"max_tokens\":6,\"ignore_eos\":true";
        JsonNode plain = api.post("/v1/completions", prompt + "}").json();
        assertThat(plain.get("object").textValue()).isEqualTo("text_completion");
        String text = plain.at("/choices/0/text").textValue();
        assertThat(text).isNotEmpty();
        assertThat(plain.at("/usage/completion_tokens").intValue()).isEqualTo(6);
        List<String> events =
                api.post("/v1/completions", prompt + ",\"stream\":true}").events();
        StringBuilder streamed = new StringBuilder();
        for (String event : events.subList(0, events.size() - 1)) {
            streamed.append(TinyStore.node(event).at("/choices/0/text").asText(""));
        }
        assertThat(streamed.toString()).isEqualTo(text);
        assertThat(api.post("/v1/completions", HELLO + "}").status())
                .as("messages belong to the other path")
                .isEqualTo(400);
    }

    @Test
    void aModelThatContinuesTextsEmbedsNone() throws Exception {
        Curl.Answer refused = api.post("/v1/embeddings", "{\"input\":\"a text\"}");
        assertThat(refused.status()).isEqualTo(400);
        assertThat(refused.json().at("/error/message").textValue()).contains("embeds none");
        for (String body : new String[] {
            "{}",
            "{\"input\":[]}",
            "{\"input\":[true]}",
            "{\"input\":\"\"}",
            "{\"input\":\"a\",\"encoding_format\":\"x\"}"
        }) {
            assertThat(api.post("/v1/embeddings", body).json().at("/code").textValue())
                    .isEqualTo("WIRE-FIELD");
        }
    }

    @Test
    void refusesWhatIsNotThere() throws Exception {
        assertThat(api.get("/v1/embeddings").status()).isEqualTo(405);
        assertThat(api.get("/control/v1/status").status()).isEqualTo(404);
        assertThat(api.get("/v1/chat/completions").status()).isEqualTo(405);
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"model\":\"other\"}")
                        .status())
                .isEqualTo(404);
        Curl.Answer tooLong = api.post("/v1/chat/completions", "{\"x\":\"" + "y".repeat(1_100_000) + "\"}");
        assertThat(tooLong.status()).isEqualTo(413);
        assertThat(tooLong.json().at("/code").textValue()).isEqualTo("API-TOO-LARGE");
        Curl.Answer context = api.post(
                "/v1/chat/completions",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"" + "#".repeat(3000) + "\"}]}");
        assertThat(context.status()).isEqualTo(400);
        assertThat(context.json().at("/code").textValue()).isEqualTo("API-CONTEXT");
    }

    @Test
    void installsACandidateOnlyThroughTheGate() throws Exception {
        ObjectNode two = store.add("2.0.0", 2, TinyModel.Flaw.NONE);
        assertThat(control.post("/control/v1/flip", slot(two)).status()).isEqualTo(409);

        two.set("gate", TinyStore.gate(Map.of("hi", "never")));
        Curl.Answer canary = post("candidate", two);
        assertThat(canary.status()).isEqualTo(422);
        assertThat(canary.json().get("code").textValue()).isEqualTo("GATE-CANARY");
        assertThat(control.get("/control/v1/status").json().get("candidates")).isEmpty();

        two.set("gate", TinyStore.gate(Map.of()));
        Curl.Answer passed = post("candidate", two);
        assertThat(passed.status()).isEqualTo(200);
        assertThat(passed.json().get("checks").findValuesAsText("name"))
                .containsExactly("digest", "weights", "tokenizer", "load-time", "canary");
        assertThat(control.post("/control/v1/discard", slot(two)).status()).isEqualTo(200);
        assertThat(control.post("/control/v1/flip", slot(two)).status()).isEqualTo(409);

        assertThat(post("candidate", two).status()).isEqualTo(200);
        JsonNode flip = control.post("/control/v1/flip", slot(two)).json();
        assertThat(flip.get("previous").textValue()).isEqualTo(slotId(one).hex());
        assertThat(flip.get("pauseMicros").longValue()).isBetween(0L, 100_000L);
        assertThat(control.post("/control/v1/flip", slot(two)).status()).isEqualTo(200);
        assertThat(api.post("/v1/chat/completions", HELLO + "}")
                        .json()
                        .get("model")
                        .textValue())
                .isEqualTo("intent@2.0.0");
    }

    @Test
    void refusesWrongDigestsGarbageAndOddBodiesOnTheControlSocket() throws Exception {
        ObjectNode wrong = one.deepCopy();
        wrong.put("digest", "0".repeat(64));
        assertThat(post("candidate", wrong).json().get("code").textValue()).isEqualTo("INS-STORAGE");
        ObjectNode garbage = store.add("3.0.0", new byte[4096]);
        assertThat(post("candidate", garbage).json().get("code").textValue()).isEqualTo("GGUF-FORMAT");
        ObjectNode escape = one.deepCopy();
        escape.put("digest", "../../../../etc/passwd");
        assertThat(post("candidate", escape).status()).isEqualTo(400);
        assertThat(control.post("/control/v1/candidate", "{").status()).isEqualTo(400);
        assertThat(control.post("/control/v1/flip", "{\"slot\":7}").status()).isEqualTo(400);
        assertThat(control.get("/control/v1/flip").status()).isEqualTo(404);
        assertThat(api.get("/healthz").status()).isEqualTo(200);
    }

    @Test
    void garbageOnEitherSocketHarmsNobodyAndPrintsNothing() throws Exception {
        PrintStream before = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setErr(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            Random random = new Random(3);
            for (int i = 0; i < 40; i++) {
                byte[] garbage = new byte[random.nextInt(1, 3000)];
                random.nextBytes(garbage);
                send(i % 2 == 0 ? api : control, garbage);
                send(api, "GET / HTTP/9.9\r\nContent-Length: -5\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                send(api, ("GET /" + "a".repeat(20_000)).getBytes(StandardCharsets.US_ASCII));
            }
            assertThat(api.get("/healthz").status()).isEqualTo(200);
            assertThat(control.get("/control/v1/status").status()).isEqualTo(200);
        } finally {
            System.setErr(before);
        }
        assertThat(printed.toString(StandardCharsets.UTF_8)).doesNotContain("Exception", "\tat ");
    }

    @Test
    void aClientThatHangsUpFreesItsSequence() throws Exception {
        Process stream = streamForever();
        awaitTrue(() -> daemon.status().requestsActive() == 1);
        stream.destroyForcibly().waitFor();
        awaitTrue(() -> daemon.status().requestsActive() == 0);
    }

    @Test
    void aClientThatDoesNotReadHoldsBackOnlyItself() throws Exception {
        String body =
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":100000,\"ignore_eos\":true,\"stream\":true}";
        try (SocketChannel lazy = SocketChannel.open(UnixDomainSocketAddress.of(api.socket()))) {
            String head =
                    "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: " + body.length() + "\r\n\r\n";
            lazy.write(ByteBuffer.wrap((head + body).getBytes(StandardCharsets.US_ASCII)));
            assertThat(api.post("/v1/chat/completions", HELLO + "}").status()).isEqualTo(200);
        }
        awaitTrue(() -> daemon.status().requestsActive() == 0);
    }

    @Test
    void refusesMoreThanItCanHoldWith429() throws Exception {
        // Two run, two wait; whichever comes fifth is refused at once, and the others would take minutes.
        List<Process> streams = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            streams.add(streamForever());
        }
        awaitTrue(() -> streams.stream().anyMatch(stream -> !stream.isAlive()));
        Process refused =
                streams.stream().filter(stream -> !stream.isAlive()).findFirst().orElseThrow();
        assertThat(new String(refused.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .contains("\"code\":\"API-BUSY\"")
                .endsWith("\n429");
        for (Process stream : streams) {
            stream.destroyForcibly().waitFor();
        }
        awaitTrue(() -> daemon.status().requestsActive() == 0);
    }

    @Test
    void aStreamSurvivesAFlip() throws Exception {
        Process stream = stream(120, 40);
        awaitTrue(() -> daemon.status().requestsActive() == 1);
        ObjectNode two = store.add("2.0.0", 2, TinyModel.Flaw.NONE);
        assertThat(post("candidate", two).status()).isEqualTo(200);
        assertThat(control.post("/control/v1/flip", slot(two)).status()).isEqualTo(200);
        String output = new String(stream.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(output).contains("intent@1.0.0", "data: [DONE]").doesNotContain("intent@2.0.0");
        awaitTrue(() -> daemon.status().draining() == 0);
    }

    @Test
    void startsOnTheFallbackWhenTheServingModelIsDamaged() throws Exception {
        ObjectNode two = store.add("2.0.0", 2, TinyModel.Flaw.NONE);
        store.serving(two, one);
        Path blob = store.blobs().resolve(two.get("digest").textValue());
        byte[] bytes = Files.readAllBytes(blob);
        bytes[9999] ^= 4;
        Files.write(blob, bytes);
        daemon.close();
        open();
        assertThat(api.get("/healthz").json().get("model").textValue()).isEqualTo("intent@1.0.0");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "{", "[]", "{\"format\":2}", "{\"format\":1,\"serving\":{\"model\":3}}", "\u0000\u0001"})
    void runsWithoutAModelWhenTheRecordIsDamaged(String record) throws Exception {
        Files.writeString(store.folder().resolve("serving.json"), record);
        daemon.close();
        open();
        Curl.Answer health = api.get("/healthz");
        assertThat(health.status()).isEqualTo(503);
        assertThat(health.json().get("status").textValue()).isEqualTo("no-model");
        Curl.Answer chat = api.post("/v1/chat/completions", HELLO + "}");
        assertThat(chat.status()).isEqualTo(503);
        assertThat(chat.json().at("/code").textValue()).isEqualTo("API-NO-MODEL");
    }

    @Test
    void removesOnlySocketFilesOfTheDead() throws Exception {
        Assertions.assertThatThrownBy(this::open)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("in use");
        daemon.close();
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(folder.resolve("api.sock")));
        }
        assertThat(folder.resolve("api.sock")).exists();
        open();
        assertThat(api.get("/healthz").status()).isEqualTo(200);
    }

    @Test
    void theKernelTellsWhoIsThereAndStrangersAreTurnedAway() throws Exception {
        Path setpriv = Path.of("/usr/bin/setpriv");
        boolean root = Files.isExecutable(setpriv)
                && ((Number) Files.getAttribute(Path.of("/proc/self"), "unix:uid")).intValue() == 0;
        if (!root) {
            String line = "SKIPPED: only root with setpriv of util-linux can try other users";
            System.out.println(line);
            if ("true".equals(System.getenv("CI"))) {
                fail(line);
            }
            abort(line);
        }
        daemon.close();
        InferenceConfig config = InferenceConfig.of(store.folder(), sockets(), InferenceConfig.Limits.DEFAULT);
        daemon = InferenceDaemon.start(config.withApi(new InferenceConfig.Access("rw-rw-rw-", PeerPolicy.everyone()))
                .withControl(new InferenceConfig.Access("rw-rw-rw-", PeerPolicy.onlyUsers(Set.of(4242L)))));
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        assertThat(statusAs(65534, api, "/healthz")).isEqualTo("200");
        assertThat(statusAs(65534, control, "/control/v1/status")).isEqualTo("403");
        assertThat(statusAs(4242, control, "/control/v1/status")).isEqualTo("200");
        assertThat(statusAs(0, control, "/control/v1/status")).isEqualTo("200");
    }

    private static String statusAs(int uid, Curl to, String path) throws Exception {
        Process process = new ProcessBuilder(
                        "setpriv",
                        "--reuid=" + uid,
                        "--regid=" + uid,
                        "--clear-groups",
                        "curl",
                        "-s",
                        "-o",
                        "/dev/null",
                        "-w",
                        "%{http_code}",
                        "--unix-socket",
                        to.socket().toString(),
                        "http://x" + path)
                .start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    @Test
    void aClosedPolicyLetsInOnlyWhomItNames() {
        PeerPolicy policy = new PeerPolicy(false, Set.of(4242L), Set.of(77L));
        assertThat(policy.allows(Optional.empty())).isFalse();
        assertThat(policy.allows(Optional.of(new Peer(4242, List.of(), 1)))).isTrue();
        assertThat(policy.allows(Optional.of(new Peer(4243, List.of(77L), 1)))).isTrue();
        assertThat(policy.allows(Optional.of(new Peer(4243, List.of(78L), 1)))).isFalse();
        assertThat(policy.allows(Optional.of(new Peer(0, List.of(), 1)))).isTrue();
        assertThat(PeerPolicy.everyone().allows(Optional.empty())).isTrue();
    }

    private Curl.Answer post(String action, ObjectNode body) throws Exception {
        return control.post("/control/v1/" + action, new String(Json.write(body), StandardCharsets.UTF_8));
    }

    private static SlotId slotId(ObjectNode slot) throws Exception {
        return Slot.read(slot).orThrow().slotId();
    }

    private static String slot(ObjectNode slot) throws Exception {
        return "{\"slot\":\"" + slotId(slot) + "\"}";
    }

    private Process streamForever() throws Exception {
        return stream(240, 1);
    }

    private Process stream(int tokens, int perSecond) throws Exception {
        String body =
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true,\"ignore_eos\":true,\"max_tokens\":"
                        + tokens + ",\"tokens_per_second\":" + perSecond + "}";
        return api.start(List.of("--data-binary", body, "http://localhost/v1/chat/completions"));
    }

    private static void send(Curl to, byte[] bytes) throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(to.socket()))) {
            ByteBuffer out = ByteBuffer.wrap(bytes);
            while (out.hasRemaining()) {
                channel.write(out);
            }
            channel.shutdownOutput();
            channel.read(ByteBuffer.allocate(4096));
        } catch (IOException e) {
            // The server may hang up while we are still sending; that is its right.
            assertThat(e.getMessage()).containsAnyOf("reset", "Broken pipe");
        }
    }

    private static void awaitTrue(BooleanSupplier condition) {
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(1))
                .until(condition::getAsBoolean);
    }
}
