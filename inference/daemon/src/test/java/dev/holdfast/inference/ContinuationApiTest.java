package dev.holdfast.inference;

import static dev.holdfast.engine.ChainModel.byteToken;
import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.ChainModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What completions begin and end with, over the real socket, of a model whose answers are known. */
class ContinuationApiTest {
    @TempDir
    Path folder;

    private InferenceDaemon daemon;
    private Curl api;

    @BeforeEach
    void start() throws Exception {
        Path file = folder.resolve("chain.gguf");
        new ChainModel()
                .chain("\u2581a", "\u2581b", "\u2581c", "</s>")
                .chain("<|assistant|>", "\u2581a")
                .chain("\u2581x", "y", byteToken(0xf0), byteToken(0x9f), byteToken(0x98), byteToken(0x80), "z", "</s>")
                .write(file);
        TinyStore store = new TinyStore(folder.resolve("store"));
        store.serving(store.add("1.0.0", Files.readAllBytes(file)), null);
        SocketPaths sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                store.folder(), sockets, new InferenceConfig.Limits(2, 2, 256, 1, CacheType.DEFAULT, 0)));
        api = new Curl(sockets.inference());
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    private String completed(String fields, boolean stream) throws Exception {
        return text("/v1/completions", fields, stream, "/choices/0/text", "/choices/0/text");
    }

    private String text(String path, String fields, boolean stream, String whole, String part) throws Exception {
        Curl.Answer answer = api.post(path, "{" + fields + ",\"stream\":" + stream + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        if (!stream) {
            return answer.json().at(whole).textValue();
        }
        StringBuilder text = new StringBuilder();
        for (String event : answer.events().subList(0, answer.events().size() - 1)) {
            text.append(TinyStore.node(event).at(part).asText(""));
        }
        return text.toString();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aCompletionKeepsTheSpaceBetweenPromptAndAnswer(boolean stream) throws Exception {
        assertThat(completed("\"prompt\":\"y a\"", stream)).isEqualTo(" b c");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aChatAnswerBeginsWithoutTheSpaceThatTheTokenizerAdds(boolean stream) throws Exception {
        assertThat(text(
                        "/v1/chat/completions",
                        "\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]",
                        stream,
                        "/choices/0/message/content",
                        "/choices/0/delta/content"))
                .isEqualTo("a b c");
    }

    @ParameterizedTest
    @CsvSource({
        "true, 2, y",
        "false, 2, y",
        "true, 4, y",
        "false, 4, y",
        "true, 5, y\ud83d\ude00",
        "false, 5, y\ud83d\ude00"
    })
    void anAnswerThatIsCutEndsOnAWholeCharacter(boolean stream, int tokens, String expected) throws Exception {
        assertThat(completed("\"prompt\":\"x\",\"max_tokens\":" + tokens, stream))
                .isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aStopWordCutsOnAWholeCharacterToo(boolean stream) throws Exception {
        // It begins as the emoji does, so that the emoji is held back, and is then told apart from it.
        assertThat(completed("\"prompt\":\"x\",\"stop\":[\"\ud83d\ude01\"]", stream))
                .isEqualTo("y\ud83d\ude00z");
        assertThat(completed("\"prompt\":\"x\",\"stop\":[\"\ud83d\ude00\"]", stream))
                .isEqualTo("y");
    }

    @Test
    void aStopWordOfHalfACharacterIsRefused() throws Exception {
        Curl.Answer answer = api.post("/v1/completions", "{\"prompt\":\"x\",\"stop\":[\"\\ude00\"]}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/code").textValue()).isEqualTo("WIRE-FIELD");
    }
}
