package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How long parts of a request may take, and that a stream shows that it is there meanwhile; one answer at a time is made. */
class RequestTimesTest {
    private static final Duration LONG = Duration.ofMinutes(1);
    private static final Duration SHORT = Duration.ofSeconds(1);
    /** A token a second. */
    private static final String SLOW =
            "{\"prompt\":\"x\",\"max_tokens\":60,\"ignore_eos\":true,\"tokens_per_second\":1,\"stream\":true}";

    private static final String QUICK =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":3,\"ignore_eos\":true,\"stream\":";

    @TempDir
    Path folder;

    private @Nullable InferenceDaemon daemon;
    private final List<Process> started = new ArrayList<>();

    private Curl start(RequestClock.Limits times) throws Exception {
        TinyStore store = new TinyStore(folder.resolve("store"));
        store.serving(store.add("1.0.0", 1, TinyModel.Flaw.NONE), null);
        SocketPaths sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(),
                sockets,
                new InferenceConfig.Limits(1, 4, 256, 1, CacheType.DEFAULT, 0, UserShare.of(1, 4), times)));
        return new Curl(sockets.inference());
    }

    @AfterEach
    void stop() {
        started.forEach(Process::destroyForcibly);
        if (daemon != null) {
            daemon.close();
        }
    }

    private Process ask(Curl api, String path, String body) throws Exception {
        Process curl = api.start(
                List.of("-H", "Content-Type: application/json", "--data-binary", body, "http://localhost" + path));
        started.add(curl);
        return curl;
    }

    private Process occupy(Curl api) throws Exception {
        Process slow = ask(api, "/v1/completions", SLOW);
        Awaitility.await().until(() -> requireNonNull(daemon).status().requestsActive() == 1);
        return slow;
    }

    @Test
    void aStreamThatWaitsForItsTurnShowsThatItIsThere() throws Exception {
        Curl api = start(new RequestClock.Limits(LONG, LONG, LONG, Duration.ofMillis(200)));
        Process slow = occupy(api);
        Process waiting = ask(api, "/v1/chat/completions", QUICK + "true}");
        InputStream heard = waiting.getInputStream();
        String comments = ": waiting\n\n: waiting\n\n";
        assertThat(new String(heard.readNBytes(comments.length()), StandardCharsets.UTF_8))
                .isEqualTo(comments);
        slow.destroyForcibly();
        String rest = new String(heard.readAllBytes(), StandardCharsets.UTF_8);
        assertThat(rest)
                .contains("\"finish_reason\":\"length\"", "data: [DONE]")
                .endsWith("200");
    }

    @Test
    void whatHasNoTurnInItsTimeIsRefused() throws Exception {
        Curl api = start(new RequestClock.Limits(LONG, SHORT, LONG, LONG));
        occupy(api);
        Curl.Answer refused = api.post("/v1/chat/completions", QUICK + "false}");
        assertThat(refused.status()).isEqualTo(429);
        assertThat(refused.json().get("code").textValue()).isEqualTo("API-BUSY");
    }

    @Test
    void whatHasNoTurnWhenItsStreamHasBegunHearsItThere() throws Exception {
        Curl api = start(new RequestClock.Limits(LONG, SHORT, LONG, Duration.ofMillis(200)));
        occupy(api);
        Curl.Answer refused = api.post("/v1/chat/completions", QUICK + "true}");
        assertThat(refused.status()).isEqualTo(200);
        JsonNode last = TinyStore.node(refused.events().getLast());
        assertThat(last.get("code").textValue()).isEqualTo("API-BUSY");
    }

    @Test
    void anAnswerThatStandsStillEnds() throws Exception {
        Curl api = start(new RequestClock.Limits(LONG, LONG, Duration.ofMillis(500), LONG));
        Curl.Answer cut = api.post("/v1/completions", SLOW);
        JsonNode last = TinyStore.node(cut.events().getLast());
        assertThat(last.get("code").textValue()).isEqualTo("API-DEADLINE");
        assertThat(last.get("detail").textValue()).contains("max-gap-seconds");
    }
}
