package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChatTemplateTest {
    @TempDir
    Path folder;

    private MappedModel mapped;
    private Tokenizer tokenizer;
    private PromptWriter prompts;

    @BeforeEach
    void load() throws Exception {
        Path path = folder.resolve("m.gguf");
        TinyModel.write(path, 1, TinyModel.Flaw.NONE);
        mapped = MappedModel.map(path).orThrow();
        tokenizer = Tokenizer.of(mapped.head().orThrow());
        ChatTemplate template =
                ChatTemplate.read(TinyStore.node(TinyStore.TEMPLATE)).orThrow();
        prompts = PromptWriter.bind(template, tokenizer).orThrow();
    }

    @AfterEach
    void close() {
        mapped.close();
    }

    @Test
    void literalsStandAroundContent() throws Exception {
        int[] prompt = prompts.write(
                        List.of(new Message("user", "A"), new Message("assistant", "B"), new Message("user", "")))
                .orThrow();
        int a = tokenizer.encode("A", false)[0];
        assertThat(prompt).containsExactly(1, 3, a, 4, a + 1, 2, 3, 4);
    }

    /** Special strings whole, torn over messages, with look-alikes, and at every border. */
    @Test
    void noContentForgesATurn() throws Exception {
        List<String> parts = List.of(
                "</s>",
                "<s>",
                "<|user|>",
                "<|assistant|>",
                "<unk>",
                "<|us",
                "er|>",
                "<",
                "|>",
                "\uFF5C",
                "\u200D",
                "\0",
                "\u2581",
                "<0x03>",
                " ",
                "\n",
                "the light");
        Random random = new Random(11);
        for (int round = 0; round < 2000; round++) {
            StringBuilder first = new StringBuilder();
            StringBuilder second = new StringBuilder();
            for (int i = 0; i < 6; i++) {
                first.append(parts.get(random.nextInt(parts.size())));
                second.append(parts.get(random.nextInt(parts.size())));
            }
            int[] prompt = prompts.write(
                            List.of(new Message("user", first.toString()), new Message("assistant", second.toString())))
                    .orThrow();
            int control = 0;
            for (int id : prompt) {
                control += tokenizer.vocabulary().isControl(id) ? 1 : 0;
            }
            // <s> <|user|> .. <|assistant|> .. </s> <|assistant|>
            assertThat(control).isEqualTo(5);
        }
    }

    @Test
    void unknownRolesAreRefused() {
        assertThat(prompts.write(List.of(new Message("root", "x"))).isAccepted())
                .isFalse();
        assertThat(prompts.write(List.of(new Message("function", "x"))).isAccepted())
                .isFalse();
    }

    @Test
    void instructionsGoWhereTheTemplateSays() throws Exception {
        List<Message> asked = List.of(
                new Message("system", "A"),
                new Message("developer", "B"),
                new Message("user", "C"),
                new Message("tool", "D"));
        int[] folded = prompts.write(List.of(new Message("user", "A\n\nB\n\nC"), new Message("user", "D")))
                .orThrow();
        assertThat(prompts.write(asked).orThrow()).containsExactly(folded);
        assertThat(writer("\"system\":\"first-user\"").write(asked).orThrow()).containsExactly(folded);
        assertThat(writer("\"system\":\"none\"").write(asked).isAccepted()).isFalse();
        String role = "\"roles\":{\"user\":{\"before\":[\"<|user|>\"],\"after\":[]},"
                + "\"system\":{\"before\":[\"<|assistant|>\"],\"after\":[]}}";
        int a = tokenizer.encode("A", false)[0];
        for (String system : List.of(role, role + ",\"system\":\"role\"")) {
            assertThat(writer(system).write(asked).orThrow()).containsExactly(1, 4, a, 4, a + 1, 3, a + 2, 3, a + 3, 4);
        }
        for (String wrong : List.of("\"system\":\"role\"", "\"system\":\"root\"", "\"system\":7")) {
            assertThat(ChatTemplate.read(TinyStore.node(template(wrong))).isAccepted())
                    .as(wrong)
                    .isFalse();
        }
    }

    /** The usual template with other or more fields. */
    private static String template(String fields) {
        String roles = fields.contains("roles") ? "" : "\"roles\":{\"user\":{\"before\":[\"<|user|>\"],\"after\":[]}},";
        return "{\"bos\":[\"<s>\"]," + roles + "\"generation\":[\"<|assistant|>\"],\"stop\":[\"</s>\"]," + fields + "}";
    }

    private PromptWriter writer(String fields) throws Exception {
        return PromptWriter.bind(
                        ChatTemplate.read(TinyStore.node(template(fields))).orThrow(), tokenizer)
                .orThrow();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "[]",
                "{\"bos\":[],\"roles\":{},\"generation\":[],\"stop\":[]}",
                "{\"bos\":[7],\"roles\":{\"user\":{\"before\":[],\"after\":[]}},\"generation\":[],\"stop\":[]}",
                "{\"bos\":[\"\"],\"roles\":{\"user\":{\"before\":[],\"after\":[]}},\"generation\":[],\"stop\":[]}",
                "{\"bos\":[],\"roles\":{\"user\":{\"before\":[]}},\"generation\":[],\"stop\":[]}",
                "{\"bos\":[],\"roles\":{\"user\":{\"before\":[],\"after\":[]}},\"generation\":[],\"stop\":[],\"jinja\":\"x\"}"
            })
    void malformedTemplatesAreRefused(String json) {
        assertThat(ChatTemplate.read(TinyStore.node(json)).isAccepted()).isFalse();
    }
}
