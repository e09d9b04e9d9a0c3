package dev.holdfast.samples;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.bridge.BridgeCommand;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.inference.InferenceConfig;
import dev.holdfast.inference.InferenceDaemon;
import dev.holdfast.wire.Json;
import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The Java programs in {@code samples/java}, as a user runs them: by a bridge that is a process, before a real inference daemon. */
@Timeout(180)
class JavaSamplesTest {
    private static final Pattern URL = Pattern.compile("http://\\S+/v1");
    private static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    @TempDir
    Path folder;

    private InferenceDaemon daemon;
    private Process bridge;
    private Path token;
    private String url;

    @BeforeEach
    void start() throws Exception {
        TinyStore store = new TinyStore(folder.resolve("store"));
        Slot chat = Slot.read(store.add("1.0.0", 1, TinyModel.Flaw.NONE)).orThrow();
        Slot embed = Slot.read(store.addEncoder("embed", "1.0.0", 8)).orThrow();
        store.point(Pointer.NOTHING
                .with(new PointerEntry(chat, Optional.empty()))
                .with(new PointerEntry(embed, Optional.empty()))
                .withDefault("intent"));
        Path socket = folder.resolve("api.sock");
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(),
                new SocketPaths(folder.resolve("agent.sock"), socket, folder.resolve("control.sock")),
                new InferenceConfig.Limits(2, 4, 256, 1, CacheType.DEFAULT, 0)));
        token = folder.resolve("token");
        bridge = new ProcessBuilder(
                        JAVA,
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        BridgeCommand.class.getName(),
                        "--port=0",
                        "--socket=" + socket,
                        "--token-file=" + token)
                .redirectErrorStream(true)
                .start();
        url = url(bridge.inputReader(StandardCharsets.UTF_8));
    }

    private static String url(BufferedReader said) throws Exception {
        StringBuilder all = new StringBuilder();
        for (String line = said.readLine(); line != null; line = said.readLine()) {
            Matcher found = URL.matcher(line);
            if (found.find()) {
                return found.group();
            }
            all.append(line).append('\n');
        }
        throw new AssertionError("the bridge ended: " + all);
    }

    @AfterEach
    void stop() {
        bridge.destroyForcibly();
        daemon.close();
    }

    @Test
    void langChain4j() throws Exception {
        JsonNode calls = calls(LangChain4jSample.class);
        assertThat(calls.fieldNames()).toIterable().containsExactly("chat", "stream", "embeddings");
        String text = calls.path("chat").path("text").textValue();
        assertThat(text).isNotEmpty();
        assertThat(calls.path("chat").path("model").textValue()).isEqualTo("intent@1.0.0");
        assertThat(calls.path("stream").path("text").textValue()).isEqualTo(text);
        assertThat(calls.path("stream").path("finish").textValue()).isIn("LENGTH", "STOP");
        assertThat(calls.path("embeddings").path("dimensions").toString()).isEqualTo("[96,96]");
    }

    @Test
    void theOfficialClientOfOpenAi() throws Exception {
        JsonNode calls = calls(OpenAiSample.class);
        assertThat(calls.fieldNames())
                .toIterable()
                .containsExactly("chat", "stream", "embeddings", "responses", "responses stream", "unknown model");
        String text = calls.path("chat").path("text").textValue();
        assertThat(text).isNotEmpty();
        assertThat(calls.path("chat").path("model").textValue()).isEqualTo("intent@1.0.0");
        assertThat(calls.path("stream").path("text").textValue()).isEqualTo(text);
        assertThat(calls.path("embeddings").path("dimensions").toString()).isEqualTo("[96,96]");
        assertThat(calls.path("responses").path("text").textValue()).isEqualTo(text);
        assertThat(calls.path("responses stream").path("text").textValue()).isEqualTo(text);
        assertThat(calls.path("unknown model").path("status").intValue()).isEqualTo(404);
        assertThat(calls.path("unknown model").path("code").textValue()).isEqualTo("model_not_found");
    }

    /** A sample has its own class path: nothing of the product is on it, and nothing of it is on the product's. */
    private ObjectNode calls(Class<?> sample) throws Exception {
        String classPath = Path.of("target/classes").toAbsolutePath() + ":"
                + Files.readString(Path.of("target/class-path")).strip();
        assertThat(classPath).doesNotContain("holdfast-wire", "control/bridge", "inference/daemon");
        Path said = folder.resolve("said");
        Process process = new ProcessBuilder(
                        List.of(JAVA, "-cp", classPath, sample.getName(), url, token.toString(), "intent", "embed"))
                .redirectError(said.toFile())
                .start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        String errors = Files.readString(said);
        assertThat(process.exitValue()).as(output + "\n" + errors).isZero();
        ObjectNode calls = Json.object();
        output.lines()
                .map(TinyStore::node)
                .forEach(line -> calls.set(line.path("call").asText(), line));
        return calls;
    }
}
