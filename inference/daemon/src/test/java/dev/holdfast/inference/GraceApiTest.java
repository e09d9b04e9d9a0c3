package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What programs and the agent see of a release in its grace, over the real sockets. */
class GraceApiTest {
    private static final long UNTIL = 4_000_000_000L;

    @TempDir
    Path folder;

    private TinyStore store;
    private InferenceDaemon daemon;
    private Curl api;
    private InferenceClient agent;
    private Slot one;
    private Slot two;

    @BeforeEach
    void start() throws Exception {
        store = new TinyStore(folder.resolve("store"));
        one = Slot.read(store.addEncoder("embed", "1.0.0", 8)).orThrow();
        two = Slot.read(store.addEncoder("embed", "2.0.0", 9)).orThrow();
        store.point(Pointer.NOTHING.with(new PointerEntry(
                two, Optional.of(one), List.of(new Pointer.Grace(one, UNTIL)), Optional.empty(), List.of())));
        open();
    }

    private void open() throws IOException {
        SocketPaths sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(), sockets, new InferenceConfig.Limits(2, 2, 256, 1, CacheType.DEFAULT, 0)));
        api = new Curl(sockets.inference());
        agent = new InferenceClient(sockets.inferenceControl());
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    private Curl.Answer embed(String model) throws Exception {
        return api.post("/v1/embeddings", "{\"model\":\"" + model + "\",\"input\":\"a text\"}");
    }

    private void keep(Map<dev.holdfast.wire.SlotId, Long> grace) throws IOException {
        agent.keep(new ServingSet(Optional.of("embed"), new TreeSet<>(List.of("embed")), grace));
    }

    @Test
    void aProgramGetsTheVersionThatItPinsOrNoneAtAll() throws Exception {
        assertThat(embed("embed@1.0.0").json().get("model").textValue()).isEqualTo("embed@1.0.0");
        assertThat(embed("embed").json().get("model").textValue()).isEqualTo("embed@2.0.0");
        keep(Map.of());
        Curl.Answer gone = embed("embed@1.0.0");
        assertThat(gone.status()).isEqualTo(404);
        assertThat(gone.json().at("/error/code").textValue()).isEqualTo("model_not_found");
        assertThat(embed("embed").status()).isEqualTo(200);
    }

    @Test
    void itIsListedBehindTheOthersUnderItsPinnedNameWithItsEnd() throws Exception {
        JsonNode data = api.get("/v1/models").json().get("data");
        assertThat(data.findValuesAsText("id")).containsExactly("embed@2.0.0", "embed", "embed@1.0.0");
        assertThat(data.path(0).has("until")).isFalse();
        JsonNode older = data.path(2);
        assertThat(older.get("until").longValue()).isEqualTo(UNTIL);
        assertThat(older.get("default").booleanValue()).isFalse();
        assertThat(older.get("system_fingerprint").textValue()).isEqualTo(one.fingerprint());
        assertThat(api.get("/v1/models/embed@1.0.0").json()).isEqualTo(older);
    }

    @Test
    void itIsCountedForAsLongAsItAnswers() throws Exception {
        assertThat(api.get("/metrics").body().lines()).contains("holdfast_models_graced{model=\"embed\"} 1.0");
        keep(Map.of());
        assertThat(api.get("/metrics").body().lines()).noneMatch(line -> line.startsWith("holdfast_models_graced{"));
    }

    @Test
    void oneWhoBeginsToListenHearsOfIt() throws Exception {
        Process curl = api.start(List.of("http://localhost/v1/events"));
        try (var lines = curl.inputReader()) {
            List<String> data = lines.lines()
                    .filter(line -> line.startsWith("data: "))
                    .limit(2)
                    .toList();
            JsonNode grace = TinyStore.node(data.get(1).substring(6));
            assertThat(TinyStore.node(data.get(0).substring(6)).get("type").textValue())
                    .isEqualTo("serving");
            assertThat(grace.get("type").textValue()).isEqualTo("grace");
            assertThat(grace.get("id").textValue()).isEqualTo("embed@1.0.0");
            assertThat(grace.get("until").textValue()).isEqualTo("2096-10-02T07:06:40Z");
        } finally {
            curl.destroyForcibly();
        }
    }

    @Test
    void theAgentHasItLoadedAndSeesIt() throws Exception {
        keep(Map.of());
        assertThat(agent.status().grace()).isEmpty();
        assertThat(agent.grace(one).failure().orElseThrow().code()).isEqualTo(Code.API_NOT_FOUND);
        keep(Map.of(one.slotId(), UNTIL));
        assertThat(agent.grace(one).failure()).isEmpty();
        InferenceStatus status = agent.status();
        assertThat(status.graces(one.slotId())).isTrue();
        assertThat(status.loaded(one.slotId()).orElseThrow().tokenizer()).isPresent();
        assertThat(embed("embed@1.0.0").status()).isEqualTo(200);
    }

    @Test
    void aRestartBringsItBack() throws Exception {
        daemon.close();
        open();
        assertThat(agent.status().graces(one.slotId())).isTrue();
        assertThat(agent.status().serves(two.slotId())).isTrue();
    }
}
