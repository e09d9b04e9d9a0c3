package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The programs in {@code samples/}, as a user runs them: the official client of OpenAI, Python alone, and curl. */
class SamplesTest {
    private static final Path SAMPLES = Path.of("../../samples").toAbsolutePath().normalize();

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
                .with(new Pointer.Entry(chat, Optional.empty()))
                .with(new Pointer.Entry(embed, Optional.empty()))
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
        Map<String, JsonNode> calls = calls("node", script.toString(), socket.toString(), "intent", "embed");
        assertThat(calls.keySet())
                .containsExactly(
                        "chat",
                        "stream",
                        "stream helper",
                        "embeddings",
                        "responses",
                        "responses stream",
                        "models",
                        "unknown model");
        String text = calls.get("chat").get("text").textValue();
        assertThat(text).isNotEmpty();
        assertThat(calls.get("chat").get("model").textValue()).isEqualTo("intent@1.0.0");
        assertThat(calls.get("stream").get("text").textValue()).isEqualTo(text);
        assertThat(calls.get("stream").at("/usage/completion_tokens"))
                .isEqualTo(calls.get("chat").at("/usage/completion_tokens"));
        assertThat(calls.get("stream helper").get("text").textValue()).isEqualTo(text);
        assertThat(calls.get("embeddings").get("dimensions").toString()).isEqualTo("[96,96]");
        assertThat(calls.get("responses").get("text").textValue()).isEqualTo(text);
        assertThat(calls.get("responses stream").get("text").textValue()).isNotEmpty();
        assertThat(calls.get("responses stream").get("first").textValue()).isEqualTo("response.created");
        assertThat(calls.get("responses stream").get("last").textValue())
                .isIn("response.completed", "response.incomplete");
        assertThat(calls.get("models").get("ids").toString()).contains("\"intent@1.0.0\"", "\"embed\"");
        assertThat(calls.get("unknown model").get("status").intValue()).isEqualTo(404);
        assertThat(calls.get("unknown model").get("code").textValue()).isEqualTo("model_not_found");
        assertThat(calls.get("unknown model").get("param").textValue()).isEqualTo("model");
    }

    @Test
    void pythonWithoutPackages() throws Exception {
        Map<String, JsonNode> calls =
                calls("python3", SAMPLES.resolve("http_client.py").toString(), socket.toString(), "intent");
        assertThat(calls.keySet()).containsExactly("chat", "stream");
        assertThat(calls.get("chat").get("text").textValue()).isNotEmpty();
        assertThat(calls.get("stream").get("text")).isEqualTo(calls.get("chat").get("text"));
        assertThat(calls.get("stream").get("whole").booleanValue()).isTrue();
    }

    @Test
    void curl() throws Exception {
        String answer = run("sh", SAMPLES.resolve("curl.sh").toString(), socket.toString(), "intent");
        assertThat(TinyStore.node(answer).at("/choices/0/message/content").textValue())
                .isNotEmpty();
    }

    private Map<String, JsonNode> calls(String... command) throws Exception {
        Map<String, JsonNode> calls = new LinkedHashMap<>();
        run(command).lines().map(TinyStore::node).forEach(line -> calls.put(line.get("call").textValue(), line));
        return calls;
    }

    private String run(String... command) throws Exception {
        Path said = folder.resolve("said");
        Process process = new ProcessBuilder(List.of(command)).redirectError(said.toFile()).start();
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
