package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

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
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.SlotId;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A daemon whose default is still being loaded, because its file is a pipe that nobody writes to; the agent is faster. */
class StartUpLoadsTest {
    @TempDir
    Path folder;

    private final CompletableFuture<InferenceDaemon> start = new CompletableFuture<>();
    private TinyStore store;
    private SocketPaths sockets;
    private InferenceClient agent;
    private Path pipe;
    private Slot older;
    private Slot newer;
    private Pointer pointer;

    @BeforeEach
    void store() throws Exception {
        store = new TinyStore(folder.resolve("store"));
        sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
        agent = new InferenceClient(sockets.inferenceControl());
        Slot slow = broken("slow");
        pipe = store.blobs().resolve(slow.digest().hex());
        Files.delete(pipe);
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        older = Slot.read(store.addEncoder("embed", "1.0.0", 8)).orThrow();
        newer = Slot.read(store.addEncoder("embed", "2.0.0", 9)).orThrow();
        pointer = Pointer.NOTHING
                .with(new PointerEntry(slow, Optional.empty()))
                .with(new PointerEntry(older, Optional.empty()));
    }

    private Slot broken(String model) throws Exception {
        return Slot.read(store.add(model, "1.0.0", model.getBytes(StandardCharsets.UTF_8)))
                .orThrow();
    }

    private void begin() throws Exception {
        store.point(pointer);
        InferenceConfig config = InferenceConfig.of(
                store.folder(), sockets, new InferenceConfig.Limits(2, 2, 256, 1, CacheType.DEFAULT, 0));
        start.completeAsync(() -> {
            try {
                return InferenceDaemon.start(config);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        Awaitility.await()
                .ignoreExceptions()
                .until(() -> agent.status().memory().usedBytes() > 0);
    }

    /** Lets the default fail; the others are loaded then. */
    private InferenceStatus finish() throws Exception {
        new RandomAccessFile(pipe.toFile(), "rw").close();
        return start.get(20, TimeUnit.SECONDS).status();
    }

    @AfterEach
    void stop() throws Exception {
        finish();
        start.get().close();
    }

    private static List<SlotId> serving(InferenceStatus status) {
        return status.serving().stream().map(InferenceStatus.Loaded::slot).toList();
    }

    @Test
    void whatNobodyChangedIsServed() throws Exception {
        begin();
        assertThat(agent.status().serving()).isEmpty();
        assertThat(serving(finish())).containsExactly(older.slotId());
    }

    @Test
    void whoAsksWhileTheModelIsLoadedIsToldWhenToComeAgain() throws Exception {
        begin();
        Curl api = new Curl(sockets.inference());
        for (String path : List.of("/readyz", "/v1/completions", "/v1/embeddings")) {
            List<String> arguments = new ArrayList<>(List.of("-i", "http://localhost" + path));
            if (path.startsWith("/v1/")) {
                arguments.addAll(List.of("--data-binary", "{\"prompt\":\"x\",\"input\":\"x\"}"));
            }
            String answer = new String(api.start(arguments).getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(answer)
                    .startsWith("HTTP/1.1 503")
                    .containsPattern("(?i)\r\nRetry-After: ([1-9]|[12][0-9]|30)\r\n")
                    .containsPattern("(?i)\r\nRetry-After-Ms: [1-9][0-9]{2,4}\r\n");
        }
        finish();
        // Nothing is loaded any more, and nobody knows when the default will be.
        String answer = new String(
                api.start(List.of("-i", "--data-binary", "{\"prompt\":\"x\"}", "http://localhost/v1/completions"))
                        .getInputStream()
                        .readAllBytes(),
                StandardCharsets.UTF_8);
        assertThat(answer).startsWith("HTTP/1.1 503").doesNotContainIgnoringCase("Retry-After");
    }

    @Test
    void whatTheAgentFlippedToStays() throws Exception {
        begin();
        assertThat(agent.prepare(newer).failure()).isEmpty();
        assertThat(agent.flip(newer.slotId()).isAccepted()).isTrue();
        long used = agent.status().memory().usedBytes();
        InferenceStatus status = finish();
        assertThat(serving(status)).containsExactly(newer.slotId());
        assertThat(status.draining()).isZero();
        assertThat(status.memory().usedBytes())
                .as("the older one and the default gave theirs back")
                .isLessThan(used);
    }

    @Test
    void whatTheAgentRetiredStaysAway() throws Exception {
        begin();
        agent.keep(new ServingSet(Optional.empty(), List.of("slow")));
        InferenceStatus status = finish();
        assertThat(status.serving()).isEmpty();
        assertThat(status.memory().usedBytes()).isZero();
    }

    @Test
    void whatTheAgentRetiredAndTookAgainStays() throws Exception {
        begin();
        agent.keep(new ServingSet(Optional.empty(), List.of("slow")));
        assertThat(agent.prepare(newer).failure()).isEmpty();
        InferenceStatus status = finish();
        assertThat(status.serving()).isEmpty();
        assertThat(status.candidates()).extracting(InferenceStatus.Loaded::slot).containsExactly(newer.slotId());
    }

    @Test
    void aModelForWhichThereIsNoRoomYetIsNotRefusedForItself() throws Exception {
        for (int i = pointer.models().size(); i < ModelName.MAX_MODELS; i++) {
            pointer = pointer.with(new PointerEntry(broken("broken" + i), Optional.empty()));
        }
        begin();
        Slot last = broken("last");
        assertThat(agent.prepare(last).failure().orElseThrow().code()).isEqualTo(Code.API_BUSY);
        Curl.Answer answer = new Curl(sockets.inferenceControl())
                .post("/control/v1/candidate", new String(Json.write(last.toJson()), StandardCharsets.UTF_8));
        assertThat(answer.status()).isEqualTo(429);
        assertThat(answer.json().get("passed").booleanValue()).isFalse();
        assertThat(serving(finish())).containsExactly(older.slotId());
        assertThat(agent.prepare(last).failure().orElseThrow().code())
                .as("names that hold nothing made room")
                .isEqualTo(Code.GGUF_FORMAT);
    }
}
