package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.Assertions;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A daemon with a model that chats, which is the default, and one that embeds; over its real sockets. */
class SeveralModelsApiTest {
    private static final String HELLO =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":4,\"ignore_eos\":true";

    @TempDir
    Path folder;

    private TinyStore store;
    private InferenceDaemon daemon;
    private Curl api;
    private Curl control;
    private InferenceClient agent;
    private Slot chat;
    private Slot embed;
    private Pointer pointer;

    @BeforeEach
    void start() throws Exception {
        store = new TinyStore(folder.resolve("store"));
        chat = slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE));
        embed = slot(store.addEncoder("embed", "1.0.0+q8", 8));
        pointer = Pointer.NOTHING
                .with(new PointerEntry(embed, Optional.empty()))
                .with(new PointerEntry(chat, Optional.empty()))
                .withDefault("intent");
        store.point(pointer);
        open(0);
    }

    private void open(long memoryBytes) throws IOException {
        SocketPaths sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(), sockets, new InferenceConfig.Limits(2, 2, 256, 1, CacheType.DEFAULT, memoryBytes)));
        api = new Curl(sockets.inference());
        control = new Curl(sockets.inferenceControl());
        agent = new InferenceClient(sockets.inferenceControl());
    }

    private void restart(long memoryBytes) throws IOException {
        daemon.close();
        open(memoryBytes);
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    private static Slot slot(ObjectNode node) throws Exception {
        return Slot.read(node).orThrow();
    }

    @Test
    void modelsAreListedUnderTheirPinnedAndTheirBareNamesAndTheDefaultComesFirst() throws Exception {
        JsonNode list = api.get("/v1/models").json();
        assertThat(list.get("object").textValue()).isEqualTo("list");
        assertThat(list.get("data").findValuesAsText("id"))
                .containsExactly("intent@1.0.0", "intent", "embed@1.0.0+q8", "embed");
        assertThat(list.get("data").findValues("default"))
                .extracting(JsonNode::booleanValue)
                .containsExactly(true, true, false, false);
        assertThat(list.at("/data/0/object").textValue()).isEqualTo("model");
        assertThat(list.at("/data/0/system_fingerprint").textValue()).isEqualTo(chat.fingerprint());
        assertThat(list.at("/data/3/system_fingerprint").textValue()).isEqualTo(embed.fingerprint());
    }

    @Test
    void oneModelIsToldOfByEachOfItsNames() throws Exception {
        JsonNode list = api.get("/v1/models").json().get("data");
        for (String id : List.of("intent", "intent@1.0.0", "embed", "embed@1.0.0+q8")) {
            JsonNode one = api.get("/v1/models/" + id).json();
            assertThat(one.get("id").textValue()).isEqualTo(id);
            assertThat(list).contains(one);
        }
        assertThat(api.get("/v1/models/intent%401.0.0").json().get("id").textValue())
                .isEqualTo("intent@1.0.0");
        assertThat(api.get("/v1/models/embed%401.0.0%2Bq8").json().get("id").textValue())
                .isEqualTo("embed@1.0.0+q8");
        for (String unknown : List.of(
                "",
                "other",
                "intent@2.0.0",
                "intent@",
                "org/intent",
                "org%2Fintent",
                "intent/",
                "%",
                "%zz",
                "%FF%00")) {
            Curl.Answer answer = api.get("/v1/models/" + unknown);
            assertThat(answer.status()).as(unknown).isEqualTo(404);
            assertThat(answer.json().at("/code").textValue()).isEqualTo("API-NOT-FOUND");
        }
        assertThat(api.post("/v1/models/intent", "{}").status()).isEqualTo(405);
    }

    @Test
    void healthNamesTheDefaultAndAllModels() throws Exception {
        JsonNode health = api.get("/healthz").json();
        assertThat(health.get("status").textValue()).isEqualTo("ok");
        assertThat(health.get("model").textValue()).isEqualTo("intent@1.0.0");
        assertThat(health.get("models"))
                .extracting(JsonNode::textValue)
                .containsExactly("intent@1.0.0", "embed@1.0.0+q8");
        agent.keep(new ServingSet(Optional.of("gone"), List.of("embed", "gone")));
        Curl.Answer without = api.get("/healthz");
        assertThat(without.status()).isEqualTo(503);
        assertThat(without.json().get("status").textValue()).isEqualTo("no-model");
        assertThat(without.json().get("models")).hasSize(1);
    }

    @Test
    void eachAnswerNamesTheModelThatGaveIt() throws Exception {
        JsonNode vectors = api.post("/v1/embeddings", "{\"input\":\"ab\",\"model\":\"embed\"}")
                .json();
        assertThat(vectors.get("model").textValue()).isEqualTo("embed@1.0.0+q8");
        JsonNode answer = api.post("/v1/chat/completions", HELLO + "}").json();
        assertThat(answer.get("model").textValue()).isEqualTo("intent@1.0.0");
        Curl.Answer wrong = api.post("/v1/chat/completions", HELLO + ",\"model\":\"embed\"}");
        assertThat(wrong.status()).isEqualTo(400);
        assertThat(wrong.json().at("/error/message").textValue()).contains("continues none");
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"model\":\"intent@9\"}")
                        .status())
                .isEqualTo(404);
    }

    @Test
    void aDamagedEntryOfThePointerLeavesTheOtherModels() throws Exception {
        ObjectNode json = pointer.toJson();
        json.withObject("/models/intent/serving").put("digest", "not hexadecimal");
        json.withObject("/models").put("third", 3);
        Files.write(store.folder().resolve(Pointer.FILE_NAME), Json.write(json));
        restart(0);
        InferenceStatus status = agent.status();
        assertThat(status.serving()).extracting(InferenceStatus.Loaded::slot).containsExactly(embed.slotId());
        assertThat(status.byDefault()).contains("embed");
    }

    @Test
    void aDamagedModelStartsOnItsFallbackAndLeavesTheOthers() throws Exception {
        Slot two = slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE));
        store.point(pointer.with(new PointerEntry(two, Optional.of(chat))));
        Path blob = store.blobs().resolve(two.digest().hex());
        byte[] bytes = Files.readAllBytes(blob);
        bytes[9999] ^= 4;
        Files.write(blob, bytes);
        restart(0);
        assertThat(agent.status().serves(chat.slotId())).isTrue();
        assertThat(agent.status().serves(embed.slotId())).isTrue();
        Files.delete(store.blobs().resolve(chat.digest().hex()));
        restart(0);
        assertThat(agent.status().serving()).hasSize(1);
        assertThat(agent.status().serves(embed.slotId())).isTrue();
        assertThat(api.post("/v1/chat/completions", HELLO + "}").status()).isEqualTo(503);
    }

    @Test
    void aSetThatDoesNotFitServesTheDefaultAndSaysWhatIsMissing() throws Exception {
        long budget = MemoryNeeds.of(store.blobs().resolve(chat.digest().hex()), 256, 2, CacheType.DEFAULT)
                .orThrow()
                .totalBytes();
        restart(budget);
        InferenceStatus status = agent.status();
        assertThat(status.serving()).extracting(InferenceStatus.Loaded::slot).containsExactly(chat.slotId());
        assertThat(status.memory()).isEqualTo(new InferenceStatus.Memory(budget, budget));
        Rejection why = agent.prepare(embed).failure().orElseThrow();
        assertThat(why.code()).isEqualTo(Code.INS_MEMORY);
        assertThat(why.detail()).contains("MiB, and the budget is " + (budget >> 20) + " MiB");
        assertThat(api.get("/healthz").status()).isEqualTo(200);
    }

    @Test
    void theAgentSwapsRetiresAndChoosesTheDefaultByItsClient() throws Exception {
        ObjectNode mended = store.add("1.0.0", 1, TinyModel.Flaw.NONE);
        mended.put("epoch", 2);
        Slot next = slot(mended);
        assertThat(next.digest()).isEqualTo(chat.digest());
        GateReport report = agent.prepare(next);
        assertThat(report.failure()).isEmpty();
        assertThat(agent.status().holds(next.slotId())).isTrue();
        Flip flip = agent.flip(next.slotId()).orThrow();
        assertThat(flip.previous()).contains(chat.slotId());
        assertThat(agent.flip(chat.slotId()).isAccepted()).as("gone").isFalse();
        agent.discard(chat.slotId());
        agent.keep(new ServingSet(Optional.of("embed"), List.of("embed")));
        InferenceStatus status = agent.status();
        assertThat(status.byDefault()).contains("embed");
        assertThat(status.serving("intent")).isEmpty();
        assertThat(api.post("/v1/chat/completions", HELLO + ",\"model\":\"intent\"}")
                        .status())
                .isEqualTo(404);
        assertThat(api.get("/v1/models").json().at("/data/0/id").textValue()).isEqualTo("embed@1.0.0+q8");
    }

    /** The file of the stuck model is a pipe that nobody writes to: opening it waits for ever. */
    @Test
    void changesOfAStuckModelWaitInOrderAndThoseOfOthersDoNot() throws Exception {
        ObjectNode node = store.add("stuck", "1.0.0", new byte[] {1});
        Slot stuck = slot(node);
        Path blob = store.blobs().resolve(stuck.digest().hex());
        Files.delete(blob);
        assertThat(new ProcessBuilder("mkfifo", blob.toString()).start().waitFor())
                .isZero();
        Process load = post("candidate", stuck.toJson());
        Awaitility.await().until(() -> agent.status().memory().usedBytes() > usedBefore());
        List<Process> waiting = new ArrayList<>();
        waiting.add(post("flip", Json.object().put("slot", stuck.slotId().hex())));
        for (int i = 0; i < 6; i++) {
            waiting.add(post("discard", Json.object().put("slot", stuck.slotId().hex())));
        }
        // One is carried out and four wait; the others are refused at once, whichever they are.
        Awaitility.await()
                .until(() -> waiting.stream().filter(each -> !each.isAlive()).count() == 3);

        Slot next = slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE));
        assertThat(agent.prepare(next).failure()).isEmpty();
        assertThat(agent.flip(next.slotId()).isAccepted()).isTrue();
        agent.keep(new ServingSet(Optional.of("intent"), List.of("intent", "stuck")));
        assertThat(agent.status().serving()).hasSize(1);
        assertThat(agent.flip(embed.slotId()).isAccepted()).isFalse();
        assertThat(load.isAlive()).isTrue();

        Files.newOutputStream(blob).close();
        assertThat(status(load)).isEqualTo("422");
        List<String> statuses = new ArrayList<>();
        for (Process each : waiting) {
            statuses.add(status(each));
        }
        assertThat(statuses).filteredOn("429"::equals).hasSize(3);
        assertThat(statuses).filteredOn(status -> !status.equals("429")).allMatch(List.of("200", "409")::contains);
    }

    private long usedBefore() throws Exception {
        long bytes = 0;
        for (Slot slot : List.of(chat, embed)) {
            bytes += MemoryNeeds.of(store.blobs().resolve(slot.digest().hex()), 256, 2, CacheType.DEFAULT)
                    .orThrow()
                    .totalBytes();
        }
        return bytes;
    }

    private Process post(String action, JsonNode body) throws Exception {
        return control.start(List.of(
                "--data-binary",
                new String(Json.write(body), StandardCharsets.UTF_8),
                "http://localhost/control/v1/" + action));
    }

    private static String status(Process curl) throws Exception {
        String output = new String(curl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(curl.waitFor(30, TimeUnit.SECONDS)).isTrue();
        return output.substring(output.lastIndexOf('\n') + 1);
    }

    @Test
    void whatIsNoSetOfModelsKeepsEverything() throws Exception {
        for (String body : List.of("", "{}", "{\"models\":[\"a/b\"]}", "{\"models\":[7]}", "{\"models\":\"embed\"}")) {
            assertThat(control.post("/control/v1/keep", body).status()).as(body).isEqualTo(400);
        }
        assertThat(control.get("/control/v1/keep").status()).isEqualTo(404);
        assertThat(agent.status().serving()).hasSize(2);
        Assertions.assertThatThrownBy(() -> agent.keep(new ServingSet(Optional.empty(), List.of("not a name"))))
                .isInstanceOf(IOException.class);
        assertThat(agent.status().serving()).hasSize(2);
    }
}
