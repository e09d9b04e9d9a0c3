package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import java.nio.charset.StandardCharsets;
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

/** The four classes of fields, and what clients of OpenAI send by habit, over the real socket. */
class ApiFieldsTest {
    private static final String CHAT = "/v1/chat/completions";
    private static final String HI = "{\"max_tokens\":4,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";

    @TempDir
    Path folder;

    private TinyStore store;
    private InferenceDaemon daemon;
    private Curl api;

    @BeforeEach
    void start() throws Exception {
        store = new TinyStore(folder.resolve("store"));
        store.serving(store.add("1.0.0", 1, TinyModel.Flaw.NONE), null);
        SocketPaths sockets = new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
        InferenceConfig config = InferenceConfig.of(
                store.folder(), sockets, new InferenceConfig.Limits(2, 2, 256, 1, CacheType.DEFAULT, 0));
        daemon = InferenceDaemon.start(config);
        api = new Curl(sockets.inference());
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"n\":1",
                "\"logprobs\":false",
                "\"top_logprobs\":0",
                "\"top_logprobs\":null",
                "\"logit_bias\":{}",
                "\"store\":true",
                "\"metadata\":{\"a\":\"b\"}",
                "\"user\":\"someone\"",
                "\"safety_identifier\":\"x\"",
                "\"prompt_cache_key\":\"x\"",
                "\"service_tier\":\"auto\"",
                "\"verbosity\":\"low\"",
                "\"modalities\":[\"text\"]",
                "\"parallel_tool_calls\":true",
                "\"functions\":[]",
                "\"function_call\":\"none\"",
                "\"tools\":[]",
                "\"tool_choice\":\"auto\"",
                "\"reasoning_effort\":\"low\"",
                "\"response_format\":{\"type\":\"text\"}",
                "\"stream_options\":{\"include_obfuscation\":false}",
                "\"audio\":null",
                "\"stop\":null",
                "\"temperature\":null"
            })
    void whatChangesNothingIsAccepted(String field) throws Exception {
        Headed answer = post(CHAT, HI + "," + field + "}");
        assertThat(answer.status()).as(answer.toString()).isEqualTo(200);
        assertThat(answer.header("Holdfast-Ignored")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"logit_bias\":{\"5\":1}|logit_bias",
                "\"audio\":{}|audio",
                "\"prediction\":{}|prediction",
                "\"web_search_options\":{}|web_search_options",
                "\"previous_response_id\":\"x\"|previous_response_id",
                "\"grammar\":\"root ::= x\"|grammar",
                "\"chat_template\":\"x\"|chat_template",
                "\"cache_salt\":\"x\"|cache_salt",
                "\"id_slot\":1|id_slot",
                "\"lora\":[]|lora",
                "\"tools\":[{}]|tools",
                "\"tool_choice\":\"required\"|tool_choice",
                "\"response_format\":{\"type\":\"json_object\"}|response_format"
            })
    void whatCannotBeHadIsRefusedByName(String field, String name) throws Exception {
        Headed answer = post(CHAT, HI + "," + field + "}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/error/code").textValue()).isEqualTo("unsupported_parameter");
        assertThat(answer.json().at("/error/param").textValue()).isEqualTo(name);
        assertThat(answer.json().at("/error/holdfast").textValue()).isEqualTo("API-UNSUPPORTED");
    }

    @Test
    void whatNobodyKnowsIsPassedOverAndTold() throws Exception {
        Headed answer = post(
                CHAT,
                "{\"max_tokens\":4,\"what is\\nthis\":1,\"x\":{},\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"mood\":1}]}");
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.header("Holdfast-Ignored")).containsExactly("what?is?this,x,messages[0].mood");
        StringBuilder many = new StringBuilder(HI);
        for (int i = 0; i < 5000; i++) {
            many.append(",\"f").append("x".repeat(100)).append(i).append("\":0");
        }
        List<String> told = post(CHAT, many + "}").header("Holdfast-Ignored");
        assertThat(told).hasSize(1);
        assertThat(told.getFirst().split(",")).hasSize(8).allMatch(name -> name.length() == 64);
    }

    @Test
    void whoAsksForStrictnessIsRefused() throws Exception {
        Headed answer = post(CHAT, HI + ",\"x\":1}", "-H", "Holdfast-Strict: 1");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/error/code").textValue()).isEqualTo("unknown_parameter");
        assertThat(answer.json().at("/error/param").textValue()).isEqualTo("x");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"max_tokens\":-1|max_tokens",
                "\"temperature\":3|temperature",
                "\"n\":9|n",
                "\"stop\":[1]|stop",
                "\"stream_options\":{\"include_usage\":1}|stream_options.include_usage"
            })
    void aWrongValueIsNamed(String field, String name) throws Exception {
        Headed answer = post(CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]," + field + "}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/error/code").textValue()).isEqualTo("invalid_value");
        assertThat(answer.json().at("/error/param").textValue()).isEqualTo(name);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"hi\"}",
                "{\"role\":\"developer\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"hi\"}",
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"h\"},{\"type\":\"text\",\"text\":\"i\"}]}",
                "{\"role\":\"user\",\"content\":\"hi\",\"name\":\"ann\"},{\"role\":\"assistant\",\"content\":\"ho\",\"refusal\":null}",
                "{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
                        + "\"function\":{\"name\":\"w\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"sunny\"}",
                "{\"role\":\"system\",\"content\":\"nobody asks\"}"
            })
    void messagesOfEveryHabitAreRead(String messages) throws Exception {
        Headed answer = post(CHAT, "{\"max_tokens\":4,\"messages\":[" + messages + "]}");
        assertThat(answer.status()).as(answer.toString()).isEqualTo(200);
        assertThat(answer.header("Holdfast-Ignored")).isEmpty();
    }

    @Test
    void instructionsAreReadInFrontOfTheFirstQuestion() throws Exception {
        String folded = "[{\"role\":\"user\",\"content\":\"be brief\\n\\nhi\"}]";
        String apart = "[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"hi\"}]";
        JsonNode one =
                post(CHAT, "{\"max_tokens\":4,\"messages\":" + folded + "}").json();
        JsonNode other =
                post(CHAT, "{\"max_tokens\":4,\"messages\":" + apart + "}").json();
        assertThat(other.at("/usage/prompt_tokens")).isEqualTo(one.at("/usage/prompt_tokens"));
        assertThat(other.at("/choices/0/message")).isEqualTo(one.at("/choices/0/message"));
    }

    @Test
    void aPictureIsRefusedByItsPlace() throws Exception {
        Headed answer = post(
                CHAT,
                "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:\"}}]}]}");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().at("/error/param").textValue()).isEqualTo("messages[0].content[0].type");
    }

    @Test
    void severalChoicesAreOneAnswer() throws Exception {
        String sampled = HI + ",\"n\":3,\"temperature\":1.9,\"seed\":5,\"ignore_eos\":true";
        JsonNode answer = post(CHAT, sampled + "}").json();
        assertThat(answer.get("choices")).hasSize(3);
        assertThat(answer.at("/choices/2/index").intValue()).isEqualTo(2);
        assertThat(answer.at("/choices/0/message")).isNotEqualTo(answer.at("/choices/1/message"));
        assertThat(answer.at("/usage/completion_tokens").intValue()).isEqualTo(12);
        JsonNode single = post(CHAT, HI + ",\"temperature\":1.9,\"seed\":5,\"ignore_eos\":true}")
                .json();
        assertThat(answer.at("/usage/prompt_tokens")).isEqualTo(single.at("/usage/prompt_tokens"));
        assertThat(answer.at("/choices/0/message")).isEqualTo(single.at("/choices/0/message"));

        List<String> texts = new ArrayList<>(List.of("", "", ""));
        List<String> events =
                new Curl.Answer(200, post(CHAT, sampled + ",\"stream\":true}").body()).events();
        assertThat(events.getLast()).isEqualTo("[DONE]");
        for (String event : events.subList(0, events.size() - 1)) {
            JsonNode choice = TinyStore.node(event).at("/choices/0");
            int index = choice.get("index").intValue();
            texts.set(index, texts.get(index) + choice.at("/delta/content").asText(""));
        }
        for (int i = 0; i < 3; i++) {
            assertThat(texts.get(i))
                    .isEqualTo(answer.at("/choices/" + i + "/message/content").textValue());
        }
    }

    @Test
    void severalPromptsAreAnsweredInOrder() throws Exception {
        JsonNode both = post("/v1/completions", "{\"prompt\":[\"on the\",\"the light\"],\"max_tokens\":5}")
                .json();
        assertThat(both.get("choices")).hasSize(2);
        JsonNode one = post("/v1/completions", "{\"prompt\":\"on the\",\"max_tokens\":5}")
                .json();
        JsonNode other = post("/v1/completions", "{\"prompt\":\"the light\",\"max_tokens\":5}")
                .json();
        assertThat(both.at("/choices/0/text")).isEqualTo(one.at("/choices/0/text"));
        assertThat(both.at("/choices/1/text")).isEqualTo(other.at("/choices/0/text"));
        assertThat(both.at("/usage/prompt_tokens").intValue())
                .isEqualTo(one.at("/usage/prompt_tokens").intValue()
                        + other.at("/usage/prompt_tokens").intValue());
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/embeddings|input", "/v1/completions|prompt"})
    void tokensOfAnotherVocabularyAreRefusedWithAHint(String what) throws Exception {
        String[] split = what.split("\\|");
        for (String tokens : List.of("[1,2]", "[[1,2],[3]]")) {
            Headed answer = post(split[0], "{\"" + split[1] + "\":" + tokens + "}");
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.json().at("/error/code").textValue()).isEqualTo("unsupported_parameter");
            assertThat(answer.json().at("/error/message").textValue()).contains("send text");
        }
    }

    @Test
    void anUnknownModelHasOpenAisCode() throws Exception {
        Headed answer = post(CHAT, HI + ",\"model\":\"gpt-99\"}");
        assertThat(answer.status()).isEqualTo(404);
        assertThat(answer.json().at("/error/code").textValue()).isEqualTo("model_not_found");
        assertThat(answer.json().at("/error/param").textValue()).isEqualTo("model");
    }

    @Test
    void aResponseIsAConversation() throws Exception {
        String input = "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"hi\"}]}]";
        JsonNode whole = post("/v1/responses", "{" + input + ",\"max_output_tokens\":4,\"instructions\":\"be brief\"}")
                .json();
        JsonNode chat = post(
                        CHAT,
                        "{\"max_tokens\":4,\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"hi\"}]}")
                .json();
        assertThat(whole.at("/object").textValue()).isEqualTo("response");
        assertThat(whole.at("/output/0/content/0/text")).isEqualTo(chat.at("/choices/0/message/content"));
        assertThat(whole.at("/usage/input_tokens")).isEqualTo(chat.at("/usage/prompt_tokens"));
        assertThat(whole.at("/status").textValue())
                .isEqualTo(
                        chat.at("/choices/0/finish_reason").textValue().equals("length") ? "incomplete" : "completed");
        assertThat(whole.at("/store").booleanValue()).isFalse();
        Headed refused = post("/v1/responses", "{" + input + ",\"previous_response_id\":\"resp_1\"}");
        assertThat(refused.status()).isEqualTo(400);
        assertThat(refused.json().at("/error/param").textValue()).isEqualTo("previous_response_id");
    }

    @Test
    void eventsOfAResponseComeInOrder() throws Exception {
        Headed answer =
                post("/v1/responses", "{\"input\":\"hi\",\"max_output_tokens\":4,\"ignore_eos\":true,\"stream\":true}");
        List<String> names = answer.body()
                .lines()
                .filter(line -> line.startsWith("event: "))
                .map(line -> line.substring(7))
                .toList();
        List<String> events = new Curl.Answer(200, answer.body()).events();
        for (int i = 0; i < events.size(); i++) {
            JsonNode event = TinyStore.node(events.get(i));
            assertThat(event.get("sequence_number").intValue()).isEqualTo(i);
            assertThat(event.get("type").textValue()).isEqualTo(names.get(i));
        }
        assertThat(names.stream().distinct())
                .containsExactly(
                        "response.created",
                        "response.in_progress",
                        "response.output_item.added",
                        "response.content_part.added",
                        "response.output_text.delta",
                        "response.output_text.done",
                        "response.content_part.done",
                        "response.output_item.done",
                        "response.incomplete");
    }

    private Headed post(String path, String body, String... more) throws Exception {
        List<String> arguments = new ArrayList<>(List.of(more));
        arguments.addAll(List.of("-i", "-H", "Content-Type: application/json", "-H", "Expect:", "--data-binary", "@-"));
        arguments.add("http://localhost" + path);
        Process process = api.start(arguments);
        try (var out = process.getOutputStream()) {
            out.write(body.getBytes(StandardCharsets.UTF_8));
        }
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int end = text.indexOf("\r\n\r\n");
        int status = text.lastIndexOf('\n');
        return new Headed(
                Integer.parseInt(text.substring(status + 1).trim()),
                text.substring(0, end),
                text.substring(end + 4, status));
    }

    private record Headed(int status, String head, String body) {
        JsonNode json() {
            return TinyStore.node(body);
        }

        List<String> header(String name) {
            return head.lines()
                    .filter(line -> line.regionMatches(true, 0, name + ":", 0, name.length() + 1))
                    .map(line -> line.substring(name.length() + 1).trim())
                    .toList();
        }
    }
}
