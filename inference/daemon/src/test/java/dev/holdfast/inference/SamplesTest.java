package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The programs in {@code samples/}, as a user runs them: the official client of OpenAI, Python alone, and curl. */
class SamplesTest {
    private static final Path SAMPLES =
            Path.of("../../samples").toAbsolutePath().normalize();

    @TempDir
    Path folder;

    private Path socket;
    private InferenceDaemon daemon;

    @BeforeEach
    void start() throws Exception {
        TinyStore store = new TinyStore(folder.resolve("store"));
        Slot chat = Slot.read(store.add("1.0.0", 1, TinyModel.Flaw.NONE)).orThrow();
        Slot embed = Slot.read(store.addEncoder("embed", "1.0.0", 8)).orThrow();
        store.point(Pointer.NOTHING
                .with(new PointerEntry(chat, Optional.empty()))
                .with(new PointerEntry(embed, Optional.empty()))
                .withDefault("intent"));
        socket = folder.resolve("api.sock");
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(),
                new SocketPaths(folder.resolve("agent.sock"), socket, folder.resolve("control.sock")),
                new InferenceConfig.Limits(2, 4, 256, 1, CacheType.DEFAULT, 0)));
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    @Test
    void theOfficialClientOfOpenAi() throws Exception {
        String modules = System.getProperty("holdfast.node.modules", "");
        assumeTrue(!modules.isEmpty(), "the clients for Node are installed by ./dev test");
        Path place = Files.createDirectory(folder.resolve("samples"));
        Path script = Files.copy(SAMPLES.resolve("openai.mjs"), place.resolve("openai.mjs"));
        Files.createSymbolicLink(place.resolve("node_modules"), Path.of(modules));
        JsonNode calls = calls("node", script.toString(), socket.toString(), "intent", "embed");
        assertThat(calls.fieldNames())
                .toIterable()
                .containsExactly(
                        "chat",
                        "stream",
                        "stream helper",
                        "embeddings",
                        "responses",
                        "responses stream",
                        "models",
                        "unknown model");
        String text = calls.path("chat").path("text").textValue();
        assertThat(text).isNotEmpty();
        assertThat(calls.path("chat").path("model").textValue()).isEqualTo("intent@1.0.0");
        assertThat(calls.path("stream").path("text").textValue()).isEqualTo(text);
        assertThat(calls.path("stream").at("/usage/completion_tokens"))
                .isEqualTo(calls.path("chat").at("/usage/completion_tokens"));
        assertThat(calls.path("stream helper").path("text").textValue()).isEqualTo(text);
        assertThat(calls.path("embeddings").path("dimensions").toString()).isEqualTo("[96,96]");
        assertThat(calls.path("responses").path("text").textValue()).isEqualTo(text);
        assertThat(calls.path("responses stream").path("text").textValue()).isNotEmpty();
        assertThat(calls.path("responses stream").path("first").textValue()).isEqualTo("response.created");
        assertThat(calls.path("responses stream").path("last").textValue())
                .isIn("response.completed", "response.incomplete");
        assertThat(calls.path("models").path("ids").toString()).contains("\"intent@1.0.0\"", "\"embed\"");
        assertThat(calls.path("unknown model").path("status").intValue()).isEqualTo(404);
        assertThat(calls.path("unknown model").path("code").textValue()).isEqualTo("model_not_found");
        assertThat(calls.path("unknown model").path("param").textValue()).isEqualTo("model");
    }

    @Test
    void pythonWithoutPackages() throws Exception {
        JsonNode calls = calls("python3", SAMPLES.resolve("http_client.py").toString(), socket.toString(), "intent");
        assertThat(calls.fieldNames()).toIterable().containsExactly("chat", "stream");
        assertThat(calls.path("chat").path("text").textValue()).isNotEmpty();
        assertThat(calls.path("stream").path("text"))
                .isEqualTo(calls.path("chat").path("text"));
        assertThat(calls.path("stream").path("whole").booleanValue()).isTrue();
    }

    @Test
    void curl() throws Exception {
        String answer = run("sh", SAMPLES.resolve("curl.sh").toString(), socket.toString(), "intent");
        assertThat(TinyStore.node(answer).at("/choices/0/message/content").textValue())
                .isNotEmpty();
    }

    private ObjectNode calls(String... command) throws Exception {
        ObjectNode calls = Json.object();
        run(command)
                .lines()
                .map(TinyStore::node)
                .forEach(line -> calls.set(line.path("call").asText(), line));
        return calls;
    }

    private String run(String... command) throws Exception {
        Path said = folder.resolve("said");
        Process process = new ProcessBuilder(List.of(command))
                .redirectError(said.toFile())
                .start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(() -> output + "\n" + said(said)).isZero();
        return output;
    }

    private static String said(Path file) {
        try {
            return Files.readString(file);
        } catch (java.io.IOException e) {
            return e.toString();
        }
    }
}
