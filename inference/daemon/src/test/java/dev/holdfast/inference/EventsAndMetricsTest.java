package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.testkit.HostileProgram;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What programs and operators hear of the models, over the real sockets. */
class EventsAndMetricsTest {
    private static final String SETPRIV = "/usr/bin/setpriv";
    private static final String HELLO =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":4,\"ignore_eos\":true";

    @TempDir
    Path folder;

    private TinyStore store;
    private Slot one;
    private InferenceDaemon daemon;
    private Path socket;
    private Curl api;
    private InferenceClient agent;
    private final List<Process> listening = new ArrayList<>();

    @BeforeEach
    void start() throws Exception {
        HostileProgram.letIn(folder);
        store = new TinyStore(folder.resolve("store"));
        ObjectNode slot = store.add("1.0.0", 1, TinyModel.Flaw.NONE);
        one = Slot.read(slot).orThrow();
        store.serving(slot, null);
        socket = folder.resolve("api.sock");
        SocketPaths sockets = new SocketPaths(folder.resolve("agent.sock"), socket, folder.resolve("control.sock"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                        store.folder(), sockets, new InferenceConfig.Limits(2, 4, 256, 1, CacheType.DEFAULT, 0))
                .withApi(new InferenceConfig.Access("rw-rw-rw-", PeerPolicy.everyone())));
        api = new Curl(socket);
        agent = new InferenceClient(sockets.inferenceControl());
    }

    @AfterEach
    void stop() {
        listening.forEach(Process::destroyForcibly);
        daemon.close();
    }

    private record Heard(String id, String name, JsonNode body) {}

    private BlockingQueue<Heard> listen(String... more) throws Exception {
        List<String> arguments = new ArrayList<>(List.of(more));
        arguments.add("http://localhost/v1/events");
        Process curl = api.start(arguments);
        listening.add(curl);
        BlockingQueue<Heard> heard = new LinkedBlockingQueue<>();
        Thread.ofVirtual().start(() -> {
            String id = "";
            String name = "";
            BufferedReader lines =
                    new BufferedReader(new InputStreamReader(curl.getInputStream(), StandardCharsets.UTF_8));
            try {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    if (line.startsWith("id: ")) {
                        id = line.substring(4);
                    } else if (line.startsWith("event: ")) {
                        name = line.substring(7);
                    } else if (line.startsWith("data: ")) {
                        heard.add(new Heard(id, name, TinyStore.node(line.substring(6))));
                    }
                }
            } catch (IOException ended) {
                // It listens no more.
            }
        });
        return heard;
    }

    private static Heard next(BlockingQueue<Heard> heard) throws InterruptedException {
        Heard next = heard.poll(20, TimeUnit.SECONDS);
        assertThat(next).as("an event").isNotNull();
        return next;
    }

    private static void assertNext(BlockingQueue<Heard> heard, String name, String id, String before) throws Exception {
        Heard next = next(heard);
        assertThat(next.name).isEqualTo(name);
        assertThat(next.body.get("type").textValue()).isEqualTo(name);
        assertThat(next.body.get("id").textValue()).isEqualTo(id);
        assertThat(next.body.path("before").asText("")).isEqualTo(before);
    }

    private Slot candidate(String version, long seed, int release) throws Exception {
        ObjectNode node = store.add(version, seed, TinyModel.Flaw.NONE);
        node.put("release", release);
        Slot slot = Slot.read(node).orThrow();
        assertThat(agent.prepare(slot).passed()).isTrue();
        return slot;
    }

    @Test
    void programsFollowASwap() throws Exception {
        BlockingQueue<Heard> heard = listen();
        assertNext(heard, "serving", "intent@1.0.0", "");
        Slot two = candidate("2.0.0", 2, 2);
        assertNext(heard, "announced", "intent@2.0.0", "");
        agent.flip(two.slotId());
        Heard swapped = next(heard);
        assertThat(swapped.name).isEqualTo("swapped");
        assertThat(swapped.body.get("before").textValue()).isEqualTo("intent@1.0.0");
        assertThat(swapped.body.get("system_fingerprint").textValue()).isEqualTo(two.fingerprint());

        Slot back = candidate("1.0.0", 1, 1);
        assertNext(heard, "announced", "intent@1.0.0", "");
        agent.flip(back.slotId());
        assertNext(heard, "rolled-back", "intent@1.0.0", "intent@2.0.0");
        Slot never = candidate("3.0.0", 3, 3);
        assertNext(heard, "announced", "intent@3.0.0", "");
        agent.discard(never.slotId());
        assertNext(heard, "withdrawn", "intent@3.0.0", "");

        BlockingQueue<Heard> again = listen("-H", "Last-Event-ID: " + swapped.id);
        assertNext(again, "announced", "intent@1.0.0", "");
        assertNext(again, "rolled-back", "intent@1.0.0", "intent@2.0.0");
        BlockingQueue<Heard> lost = listen("-H", "Last-Event-ID: 7");
        assertNext(lost, "serving", "intent@1.0.0", "");

        agent.keep(new ServingSet(Optional.empty(), List.of()));
        assertNext(heard, "retired", "intent@1.0.0", "");
        assertThat(heard).isEmpty();
    }

    @Test
    void oneWhoListensNoMoreHoldsNothingUp() throws Exception {
        for (int i = 0; i < 3; i++) {
            listen();
        }
        Awaitility.await().until(() -> daemon.listeners() == 3);
        listening.forEach(Process::destroyForcibly);
        Awaitility.await().until(() -> daemon.listeners() == 0);
        agent.flip(candidate("2.0.0", 2, 2).slotId());
        assertThat(api.get("/readyz").json().get("model").textValue()).isEqualTo("intent@2.0.0");
    }

    @Test
    void numbersAreForTheOperator() throws Exception {
        assertThat(api.post("/v1/chat/completions", HELLO + "}").status()).isEqualTo(200);
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"stream\":true}").status())
                .isEqualTo(200);
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"audio\":{}}").status())
                .isEqualTo(400);
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"odd\":1}").status())
                .isEqualTo(200);
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"model\":\"other\"}")
                        .status())
                .isEqualTo(404);
        agent.flip(candidate("2.0.0", 2, 2).slotId());
        String text = api.get("/metrics").body();
        assertThat(text.lines())
                .contains(
                        "gen_ai_server_request_duration_seconds_count{model=\"intent\"} 3",
                        "gen_ai_server_time_to_first_token_seconds_count{model=\"intent\"} 3",
                        "gen_ai_server_time_per_output_token_seconds_count{model=\"intent\"} 3",
                        "holdfast_generation_tokens_total{model=\"intent\"} 12.0",
                        "holdfast_rejections_total{code=\"API-UNSUPPORTED\"} 1.0",
                        "holdfast_rejections_total{code=\"API-NOT-FOUND\"} 1.0",
                        "holdfast_requests_ignored_fields_total 1.0",
                        "holdfast_swap_pause_seconds_count{model=\"intent\"} 1",
                        "holdfast_requests_running 0.0",
                        "holdfast_requests_waiting 0.0",
                        "holdfast_models_serving 1.0")
                .anyMatch(line ->
                        line.startsWith("gen_ai_server_request_duration_seconds_bucket{model=\"intent\",le=\"0.25\""))
                .noneMatch(line -> line.contains("uid"));
        assumeTrue(
                Files.isExecutable(Path.of(SETPRIV)) && "root".equals(System.getProperty("user.name")),
                "root and setpriv are there");
        byte[] get = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                .getBytes(StandardCharsets.US_ASCII);
        assertThat(new String(
                        HostileProgram.exchange(SETPRIV, HostileProgram.User.NOBODY, socket, get),
                        StandardCharsets.UTF_8))
                .startsWith("HTTP/1.1 403");
    }
}
