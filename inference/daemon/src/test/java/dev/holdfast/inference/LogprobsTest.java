package dev.holdfast.inference;

import static dev.holdfast.engine.ChainModel.byteToken;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.ChainModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.testkit.HostileProgram;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Log-probabilities over the real socket, in OpenAI's shapes, of a model whose answers are known: an emoji in four tokens, and "b c". */
class LogprobsTest {
    private static final String CHAT = "/v1/chat/completions";
    private static final String TEXT = "/v1/completions";
    private static final String RESPONSES = "/v1/responses";
    private static final String ANSWER = "\ud83d\ude00b c";
    private static final String SETPRIV = "/usr/bin/setpriv";

    @TempDir
    Path folder;

    private InferenceDaemon daemon;
    private Path socket;
    private Curl api;

    @BeforeEach
    void start() throws Exception {
        HostileProgram.letIn(folder);
        TinyStore store = new TinyStore(folder.resolve("store"));
        Path file = folder.resolve("chain.gguf");
        new ChainModel()
                .chain(
                        "\u2581a",
                        byteToken(0xf0),
                        byteToken(0x9f),
                        byteToken(0x98),
                        byteToken(0x80),
                        "b",
                        "\u2581c",
                        "</s>")
                .chain("<|assistant|>", byteToken(0xf0))
                .write(file);
        store.serving(store.add("1.0.0", Files.readAllBytes(file)), null);
        socket = folder.resolve("api.sock");
        SocketPaths sockets = new SocketPaths(folder.resolve("agent.sock"), socket, folder.resolve("control.sock"));
        daemon = InferenceDaemon.start(InferenceConfig.of(
                        store.folder(), sockets, new InferenceConfig.Limits(2, 4, 256, 1, CacheType.DEFAULT, 0))
                .withApi(new InferenceConfig.Access("rw-rw-rw-", PeerPolicy.everyone())));
        api = new Curl(socket);
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    private static String chat(String more) {
        return "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"logprobs\":true" + more + "}";
    }

    /** The text that the bytes of tokens are together. */
    private static String spelled(List<JsonNode> tokens) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        tokens.forEach(token -> token.get("bytes").forEach(value -> bytes.write(value.intValue())));
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private static List<JsonNode> list(JsonNode array) {
        List<JsonNode> nodes = new ArrayList<>();
        array.forEach(nodes::add);
        return nodes;
    }

    private static List<String> texts(List<JsonNode> tokens) {
        return tokens.stream().map(token -> token.get("token").textValue()).toList();
    }

    @Test
    void aChatHasThemBesideItsMessage() throws Exception {
        JsonNode choice = api.post(CHAT, chat(",\"top_logprobs\":3")).json().at("/choices/0");
        assertThat(choice.at("/message/content").textValue()).isEqualTo(ANSWER);
        assertThat(choice.get("logprobs").propertyStream().map(each -> each.getKey()))
                .containsExactly("content", "refusal");
        assertThat(choice.at("/logprobs/refusal").isNull()).isTrue();
        List<JsonNode> tokens = list(choice.at("/logprobs/content"));
        assertThat(texts(tokens)).containsExactly("\\xf0", "\\x9f", "\\x98", "\\x80", "b", " c");
        assertThat(spelled(tokens)).isEqualTo(ANSWER);
        assertThat(tokens).allSatisfy(token -> {
            assertThat(token.propertyStream().map(each -> each.getKey()))
                    .containsExactlyInAnyOrder("token", "logprob", "bytes", "top_logprobs");
            assertThat(token.get("logprob").doubleValue()).isBetween(-1.0, 0.0);
            List<JsonNode> likeliest = list(token.get("top_logprobs"));
            assertThat(likeliest).hasSize(3);
            assertThat(likeliest.getFirst().get("token")).isEqualTo(token.get("token"));
            assertThat(likeliest.getFirst().get("logprob")).isEqualTo(token.get("logprob"));
            assertThat(likeliest)
                    .isSortedAccordingTo((one, other) -> Double.compare(
                            other.get("logprob").doubleValue(),
                            one.get("logprob").doubleValue()))
                    .allSatisfy(each -> assertThat(each.propertyStream().map(field -> field.getKey()))
                            .containsExactlyInAnyOrder("token", "logprob", "bytes"));
        });
        assertThat(api.post(CHAT, chat("")).json().at("/choices/0/logprobs/content/0/top_logprobs"))
                .isEmpty();
        assertThat(api.post(CHAT, chat("").replace("true", "false"))
                        .json()
                        .at("/choices/0/logprobs")
                        .isNull())
                .isTrue();
    }

    @Test
    void aStreamHasThemBesideTheTextThatTheyComplete() throws Exception {
        List<String> events =
                api.post(CHAT, chat(",\"top_logprobs\":1,\"stream\":true")).events();
        List<JsonNode> all = new ArrayList<>();
        for (String event : events.subList(0, events.size() - 1)) {
            JsonNode choice = TinyStore.node(event).at("/choices/0");
            String text = choice.at("/delta/content").asText("");
            if (text.isEmpty()) {
                assertThat(choice.get("logprobs").isNull()).isTrue();
            } else {
                List<JsonNode> tokens = list(choice.at("/logprobs/content"));
                assertThat(spelled(tokens)).isEqualTo(text);
                all.addAll(tokens);
            }
        }
        assertThat(all)
                .isEqualTo(
                        list(api.post(CHAT, chat(",\"top_logprobs\":1")).json().at("/choices/0/logprobs/content")));
    }

    @Test
    void aTextHasThemInParallelArrays() throws Exception {
        String body = "{\"prompt\":[\"a\",\"x \ud83d\ude00 a\"],\"logprobs\":2";
        JsonNode answer = api.post(TEXT, body + "}").json();
        assertThat(answer.at("/choices/0/text").textValue()).isEqualTo(ANSWER);
        JsonNode told = answer.at("/choices/0/logprobs");
        assertThat(told.get("tokens").toString())
                .isEqualTo("[\"bytes:\\\\xf0\",\"bytes:\\\\x9f\",\"bytes:\\\\x98\",\"bytes:\\\\x80\",\"b\",\" c\"]");
        // Behind a prompt of one character; a part of a character is where that begins.
        assertThat(told.get("text_offset").toString()).isEqualTo("[1,1,1,1,2,3]");
        assertThat(answer.at("/choices/1/logprobs/text_offset").toString()).isEqualTo("[5,5,5,5,6,7]");
        for (int i = 0; i < 6; i++) {
            JsonNode best = told.get("top_logprobs").get(i);
            assertThat(best).hasSize(2);
            assertThat(best.get(told.get("tokens").get(i).textValue()))
                    .isEqualTo(told.get("token_logprobs").get(i));
        }

        List<String> events = api.post(TEXT, body + ",\"stream\":true}").events();
        List<JsonNode> offsets = new ArrayList<>();
        for (String event : events.subList(0, events.size() - 1)) {
            JsonNode choice = TinyStore.node(event).at("/choices/0");
            if (choice.get("index").intValue() == 1 && !choice.get("logprobs").isNull()) {
                offsets.addAll(list(choice.at("/logprobs/text_offset")));
            }
        }
        assertThat(offsets).isEqualTo(list(answer.at("/choices/1/logprobs/text_offset")));
    }

    @Test
    void theChosenTokenIsToldAlsoWhereNoOtherIs() throws Exception {
        JsonNode told =
                api.post(TEXT, "{\"prompt\":\"a\",\"logprobs\":0}").json().at("/choices/0/logprobs");
        assertThat(told.get("tokens")).hasSize(6);
        assertThat(told.get("top_logprobs")).allSatisfy(each -> assertThat(each).hasSize(1));
        JsonNode untold = api.post(TEXT, "{\"prompt\":\"a\"}").json().at("/choices/0/logprobs");
        assertThat(untold.isNull()).isTrue();
    }

    @Test
    void howATokenIsChosenChangesNothingAboutThem() throws Exception {
        JsonNode plain = api.post(CHAT, chat(",\"top_logprobs\":2")).json().at("/choices/0/logprobs");
        JsonNode shaped = api.post(
                        CHAT,
                        chat(",\"top_logprobs\":2,\"temperature\":1.9,\"top_k\":1,\"repetition_penalty\":2"
                                + ",\"presence_penalty\":1,\"ignore_eos\":true,\"max_tokens\":6"))
                .json()
                .at("/choices/0/logprobs");
        assertThat(shaped).isEqualTo(plain);
    }

    @Test
    void aWordAtWhichTheAnswerStopsIsNotTold() throws Exception {
        JsonNode choice = api.post(CHAT, chat(",\"stop\":\" c\"")).json().at("/choices/0");
        assertThat(choice.at("/message/content").textValue()).isEqualTo("\ud83d\ude00b");
        assertThat(texts(list(choice.at("/logprobs/content"))))
                .containsExactly("\\xf0", "\\x9f", "\\x98", "\\x80", "b");
        // A character that is not whole is not, either.
        JsonNode cut = api.post(CHAT, chat(",\"max_tokens\":3")).json().at("/choices/0");
        assertThat(cut.at("/message/content").textValue()).isEmpty();
        assertThat(cut.at("/logprobs/content")).isEmpty();
    }

    @Test
    void aResponseHasThemWhereItIsToIncludeThem() throws Exception {
        String body =
                "{\"input\":\"hi\",\"include\":[\"message.output_text.logprobs\",\"reasoning.encrypted_content\"],\"top_logprobs\":2";
        JsonNode part = api.post(RESPONSES, body + "}").json().at("/output/0/content/0");
        assertThat(part.get("text").textValue()).isEqualTo(ANSWER);
        List<JsonNode> tokens = list(part.get("logprobs"));
        assertThat(spelled(tokens)).isEqualTo(ANSWER);
        assertThat(tokens)
                .allSatisfy(token -> assertThat(token.get("top_logprobs")).hasSize(2));
        List<String> deltas = new ArrayList<>();
        for (String each : api.post(RESPONSES, body + ",\"stream\":true}").events()) {
            JsonNode event = TinyStore.node(each);
            if (event.get("type").textValue().equals("response.output_text.delta")) {
                deltas.addAll(texts(list(event.get("logprobs"))));
            }
            if (event.get("type").textValue().equals("response.output_text.done")) {
                assertThat(texts(list(event.get("logprobs")))).isEqualTo(deltas);
            }
        }
        assertThat(deltas).isEqualTo(texts(tokens));
        assertThat(api.post(RESPONSES, "{\"input\":\"hi\",\"include\":[\"reasoning.encrypted_content\"]}")
                        .json()
                        .at("/output/0/content/0/logprobs"))
                .isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/v1/chat/completions|\"logprobs\":true,\"top_logprobs\":21|top_logprobs",
                "/v1/chat/completions|\"logprobs\":true,\"top_logprobs\":-1|top_logprobs",
                "/v1/chat/completions|\"top_logprobs\":1|top_logprobs",
                "/v1/chat/completions|\"logprobs\":3|logprobs",
                "/v1/completions|\"logprobs\":6|logprobs",
                "/v1/completions|\"logprobs\":true|logprobs",
                "/v1/responses|\"top_logprobs\":2|top_logprobs",
                "/v1/responses|\"include\":\"all\"|include"
            })
    void whatIsOutOfRangeIsNamed(String path, String fields, String name) throws Exception {
        String asked = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"prompt\":\"a\",\"input\":\"a\",";
        String only = path.endsWith("responses") ? asked.replace("\"prompt\":\"a\",", "") : asked;
        Curl.Answer answer = api.post(path, "{" + only + fields + "}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/error/code").textValue()).isEqualTo("invalid_value");
        assertThat(answer.json().at("/error/param").textValue()).isEqualTo(name);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                CHAT + "|\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"logprobs\":true|logprobs",
                TEXT + "|\"prompt\":\"a\",\"logprobs\":0|logprobs",
                RESPONSES + "|\"input\":\"a\",\"include\":[\"message.output_text.logprobs\"]|include"
            })
    void nobodyButTheOperatorHasThem(String request) throws Exception {
        assumeTrue(
                Files.isExecutable(Path.of(SETPRIV)) && "root".equals(System.getProperty("user.name")),
                "root and setpriv are there");
        String[] split = request.split("\\|");
        String body = "{" + split[1] + ",\"stream\":true}";
        String answer = asNobody(split[0], body);
        assertThat(answer).startsWith("HTTP/1.1 403").doesNotContain("logprob\"");
        JsonNode error = TinyStore.node(answer.substring(answer.indexOf('{'))).get("error");
        assertThat(error.get("type").textValue()).isEqualTo("permission_error");
        assertThat(error.get("param").textValue()).isEqualTo(split[2]);
        assertThat(error.get("holdfast").textValue()).isEqualTo("API-FORBIDDEN");
        // And what asks for none is answered.
        String plain = "{\"prompt\":\"a\",\"logprobs\":null}";
        assertThat(asNobody(TEXT, plain)).startsWith("HTTP/1.1 200").contains("\"logprobs\":null");
    }

    private String asNobody(String path, String body) throws Exception {
        byte[] post = ("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
                        + body.length() + "\r\n\r\n" + body)
                .getBytes(StandardCharsets.US_ASCII);
        return new String(
                HostileProgram.exchange(SETPRIV, HostileProgram.User.NOBODY, socket, post), StandardCharsets.UTF_8);
    }
}
