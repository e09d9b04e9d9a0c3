package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.ModelRunner;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.engine.kernels.CacheType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Base64;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Completions and embeddings over the real socket. */
class ApiTest {
    private static final String PLAIN = "{\"prompt\":\"the light\",\"max_tokens\":8,\"ignore_eos\":true";

    @TempDir
    Path folder;

    private TinyStore store;
    private InferenceDaemon daemon;
    private Curl api;

    @BeforeEach
    void start() throws Exception {
        store = new TinyStore(folder.resolve("store"));
        store.serving(store.add("1.0.0", 1, TinyModel.Flaw.NONE), null);
        open();
    }

    private void open() throws Exception {
        InferenceConfig config = InferenceConfig.of(
                store.folder(), sockets(), new InferenceConfig.Limits(2, 2, 256, 1, CacheType.DEFAULT, 0));
        daemon = InferenceDaemon.start(config);
        api = new Curl(config.sockets().inference());
    }

    private SocketPaths sockets() {
        return new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    @Test
    void completionsContinueATextBehindTheTemplatesBeginToken() throws Exception {
        JsonNode plain = api.post("/v1/completions", PLAIN + "}").json();
        assertThat(plain.get("object").textValue()).isEqualTo("text_completion");
        assertThat(plain.get("id").textValue()).startsWith("cmpl-");
        assertThat(plain.at("/choices/0/finish_reason").textValue()).isEqualTo("length");
        assertThat(plain.at("/usage/completion_tokens").intValue()).isEqualTo(8);
        Path tiny = folder.resolve("tiny.gguf");
        TinyModel.write(tiny, 1, TinyModel.Flaw.NONE);
        try (ModelRunner runner = ModelRunner.open(tiny, 256, 1).orThrow()) {
            // This model's metadata asks for no begin token; the signed template does, and decides.
            int promptTokens = 1 + runner.tokenize("the light").orThrow().length;
            assertThat(plain.at("/usage/prompt_tokens").intValue()).isEqualTo(promptTokens);
        }
        Curl.Answer streamed = api.post("/v1/completions", PLAIN + ",\"stream\":true}");
        StringBuilder text = new StringBuilder();
        for (String event : streamed.events().subList(0, streamed.events().size() - 1)) {
            text.append(TinyStore.node(event).at("/choices/0/text").textValue());
        }
        assertThat(streamed.events().getLast()).isEqualTo("[DONE]");
        assertThat(text.toString()).isEqualTo(plain.at("/choices/0/text").textValue());
    }

    /** The kernel says who asks, so the second connection of the same user is known again. */
    @Test
    void aPromptThatThePeerSentBeforeIsReadFromTheCache() throws Exception {
        String body = "{\"prompt\":\"" + "turn the light on; ".repeat(5) + "\",\"max_tokens\":8}";
        JsonNode first = api.post("/v1/completions", body).json();
        JsonNode second = api.post("/v1/completions", body).json();
        String cached = "/usage/prompt_tokens_details/cached_tokens";
        assertThat(first.at(cached).intValue()).isZero();
        assertThat(second.at(cached).intValue()).isPositive();
        assertThat(second.at("/choices")).isEqualTo(first.at("/choices"));
    }

    @Test
    void samplingFieldsChangeTheAnswerAndTheSeedRepeatsIt() throws Exception {
        String sampled = PLAIN + ",\"temperature\":1.5,\"top_k\":50,\"min_p\":0.001,\"top_p\":0.99,\"seed\":7";
        String once = text(sampled + "}");
        assertThat(text(sampled + "}")).isEqualTo(once);
        String greedy = text(PLAIN + "}");
        assertThat(text(PLAIN + ",\"temperature\":1.5,\"top_k\":1}")).isEqualTo(greedy);
        assertThat(once).isNotEqualTo(greedy);
    }

    private String text(String body) throws Exception {
        Curl.Answer answer = api.post("/v1/completions", body);
        return answer.status() == 200 ? answer.json().at("/choices/0/text").textValue() : answer.body();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"prompt\":true}",
                "{\"prompt\":\"x\",\"top_k\":-1}",
                "{\"prompt\":\"x\",\"min_p\":1.5}",
                "{\"prompt\":\"x\",\"repetition_penalty\":0}",
                "{\"prompt\":\"x\",\"presence_penalty\":3}",
                "{\"prompt\":\"x\",\"frequency_penalty\":\"2\"}",
                "{\"prompt\":\"x\",\"max_tokens\":0}"
            })
    void whatIsNotUnderstoodIsRefused(String body) throws Exception {
        Curl.Answer answer = api.post("/v1/completions", body);
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/error/type").textValue()).isEqualTo("invalid_request_error");
        assertThat(answer.json().at("/code").textValue()).isEqualTo("WIRE-FIELD");
    }

    @Test
    void aDecoderEmbedsNothingAndSaysSo() throws Exception {
        Curl.Answer answer = api.post("/v1/embeddings", "{\"input\":\"x\"}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/code").textValue()).isEqualTo("API-REQUEST");
        assertThat(api.get("/v1/embeddings").status()).isEqualTo(405);
    }

    @Test
    void anEncoderEmbedsOverTheSocketAsTheCommandDoes() throws Exception {
        daemon.close();
        ObjectNode slot = store.addEncoder("intent", "2.0.0", 8);
        Path file = store.blobs().resolve(slot.get("digest").textValue());
        store.serving(slot, null);
        open();
        JsonNode two = api.post("/v1/embeddings", "{\"input\":[\"ab\",\"c\"],\"model\":\"intent\"}")
                .json();
        assertThat(two.get("object").textValue()).isEqualTo("list");
        assertThat(two.get("model").textValue()).isEqualTo("intent@2.0.0");
        assertThat(two.get("data")).hasSize(2);
        assertThat(two.at("/data/1/index").intValue()).isEqualTo(1);
        try (ModelRunner runner = ModelRunner.open(file, 256, 1).orThrow()) {
            Embedding expected = runner.embed("ab").orThrow();
            Embedding other = runner.embed("c").orThrow();
            assertThat(two.at("/usage/prompt_tokens").intValue()).isEqualTo(expected.tokens() + other.tokens());
            JsonNode coded = api.post("/v1/embeddings", "{\"input\":\"ab\",\"encoding_format\":\"base64\"}")
                    .json();
            ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder()
                            .decode(coded.at("/data/0/embedding").textValue()))
                    .order(ByteOrder.LITTLE_ENDIAN);
            assertThat(expected.vector()).hasSize(96);
            for (int i = 0; i < expected.vector().length; i++) {
                assertThat(two.at("/data/0/embedding").get(i).floatValue())
                        .isCloseTo(expected.vector()[i], within(1e-6f));
                assertThat(bytes.getFloat()).isCloseTo(expected.vector()[i], within(1e-6f));
            }
        }
        assertThat(api.post("/v1/embeddings", "{\"input\":[]}").status()).isEqualTo(400);
        assertThat(api.post("/v1/embeddings", "{\"input\":\"x\",\"dimensions\":3}")
                        .status())
                .isEqualTo(400);
        assertThat(api.post("/v1/embeddings", "{\"input\":\"" + "x".repeat(3000) + "\"}")
                        .json()
                        .at("/code")
                        .textValue())
                .isEqualTo("API-CONTEXT");
        Curl.Answer chat = api.post("/v1/completions", PLAIN + "}");
        assertThat(chat.status()).isEqualTo(400);
    }
}
