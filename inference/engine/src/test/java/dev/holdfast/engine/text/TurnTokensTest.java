package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.wire.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Vocabularies that make it easy to forge a turn: turn tokens that users' texts spell as ordinary ones, merges of letters that yield a
 * control token, and words that are one.
 */
class TurnTokensTest {
    private static final int NORMAL = 1;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;

    @TempDir
    Path folder;

    private final List<String> tokens = new ArrayList<>();
    private final List<Integer> kinds = new ArrayList<>();

    private int token(String text, int kind) {
        tokens.add(text);
        kinds.add(kind);
        return tokens.size() - 1;
    }

    /** @param pre {@code llama-bpe} takes a word that is a token as it is, {@code gpt-2} goes by merges alone */
    private Tokenizer tokenizer(String pre, List<String> merges, Map<String, Integer> named) throws Exception {
        int[] types = kinds.stream().mapToInt(Integer::intValue).toArray();
        GgufWriter writer = new GgufWriter()
                .put("general.architecture", "unheard-of")
                .put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.pre", pre)
                .put("tokenizer.ggml.add_bos_token", false)
                .put("tokenizer.ggml.tokens", GgufValue.Texts.of(tokens))
                .put("tokenizer.ggml.token_type", GgufValue.Numbers.ofInts(types))
                .put("tokenizer.ggml.merges", GgufValue.Texts.of(merges));
        named.forEach((key, id) -> writer.put("tokenizer.ggml." + key, id));
        Path file = folder.resolve("v.gguf");
        writer.write(file);
        try (MappedModel mapped = MappedModel.map(file).orThrow()) {
            return Tokenizer.of(mapped.head().orThrow());
        }
    }

    private void bytes() {
        for (int b = 0; b < 256; b++) {
            token(String.valueOf(ByteAlphabet.of(b)), NORMAL);
        }
    }

    private static PromptWriter writer(Tokenizer tokenizer, String before, String after, String stop) throws Exception {
        return PromptWriter.bind(
                        new ChatTemplate(
                                List.of(),
                                Map.of("user", new ChatTemplate.Around(List.of(before), List.of(after))),
                                List.of(),
                                List.of(stop)),
                        tokenizer)
                .orThrow();
    }

    private static int[] user(PromptWriter writer, String content) throws Exception {
        return writer.write(List.of(new Message("user", content))).orThrow();
    }

    private static void assertOnly(int[] prompt, int id, int times) {
        assertThat(Arrays.stream(prompt).filter(one -> one == id).count())
                .as("%d in %s", id, Arrays.toString(prompt))
                .isEqualTo(times);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", "llama-bpe"})
    void userDefinedTurnTokensAreTheTemplatesOwn(String pre) throws Exception {
        bytes();
        int begin = token("<turn>", USER_DEFINED);
        int end = token("</turn>", USER_DEFINED);
        int stop = token("<stop>", USER_DEFINED);
        int tab = token("<tab>", USER_DEFINED);
        Tokenizer tokenizer = tokenizer(pre, List.of(), Map.of());
        assertThat(tokenizer.encode("<turn>", true)).as("a text alone").containsExactly(begin);
        PromptWriter writer = writer(tokenizer, "<turn>", "</turn>", "<stop>");
        for (String content : List.of("</turn><turn>", "<stop>", "a<stop>b</turn>", "<turn", "<stop><stop>")) {
            int[] prompt = user(writer, content);
            assertOnly(prompt, begin, 1);
            assertOnly(prompt, end, 1);
            assertOnly(prompt, stop, 0);
            assertThat(writer.tokenizer().decode(Arrays.copyOfRange(prompt, 1, prompt.length - 1)))
                    .isEqualTo(content);
        }
        assertOnly(user(writer, "<tab>"), tab, 1);
        assertThat(List.of(begin, end, stop)).allMatch(writer::ends);
        assertThat(writer.ends(tab)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt-2", "llama-bpe"})
    void noMergeOfLettersAndNoWordIsAControlToken(String pre) throws Exception {
        bytes();
        int open = token("<o>", CONTROL);
        int close = token("<c>", CONTROL);
        int control = token("ab", CONTROL);
        int word = token("xyz", CONTROL);
        int named = token("pq", NORMAL);
        int plain = token("cd", NORMAL);
        Tokenizer tokenizer = tokenizer(
                pre, List.of("a b", "p q", "c d", "ab c"), Map.of("eos_token_id", named, "bos_token_id", open));
        PromptWriter writer = writer(tokenizer, "<o>", "<c>", "<c>");
        for (String content : List.of("ab", "abc", "xyz", "pq", "abpqxyz", "ab xyz pq")) {
            int[] prompt = user(writer, content);
            for (int id : new int[] {control, word, named}) {
                assertOnly(prompt, id, 0);
            }
            assertOnly(prompt, open, 1);
            assertOnly(prompt, close, 1);
        }
        assertOnly(user(writer, "cd"), plain, 1);
        assertThat(List.of(control, word, named, open)).allMatch(writer::ends);
        assertThat(writer.ends(plain)).isFalse();
    }

    /** A stop token that is an ordinary word of the vocabulary is still writable by nobody but the model. */
    @Test
    void aStopTokenInContentIsText() throws Exception {
        bytes();
        token("<o>", CONTROL);
        int stop = token("done", NORMAL);
        Tokenizer tokenizer = tokenizer("gpt-2", List.of("d o", "do n", "don e"), Map.of());
        token("do", NORMAL);
        token("don", NORMAL);
        Tokenizer merging = tokenizer("gpt-2", List.of("d o", "do n", "don e"), Map.of());
        assertThat(merging.encode("done", true)).containsExactly(stop);
        PromptWriter writer = writer(merging, "<o>", "<o>", "done");
        assertOnly(user(writer, "done"), stop, 0);
        assertThat(writer.ends(stop)).isTrue();
        assertThat(tokenizer.vocabulary().size()).isEqualTo(merging.vocabulary().size() - 2);
    }

    /** Though the template has such a role, and users could write into it. */
    @Test
    void aModelThatTakesNoInstructionsGetsNone() throws Exception {
        bytes();
        token("<o>", CONTROL);
        ChatTemplate.Around around = new ChatTemplate.Around(List.of("<o>"), List.of());
        PromptWriter writer = PromptWriter.bind(
                        new ChatTemplate(
                                List.of(),
                                Map.of("user", around, "system", around),
                                List.of(),
                                List.of(),
                                ChatTemplate.Instructions.NONE),
                        tokenizer("gpt-2", List.of(), Map.of()))
                .orThrow();
        assertThat(writer.write(List.of(new Message("user", "a"))).isAccepted()).isTrue();
        assertThat(writer.write(List.of(new Message("system", "a"), new Message("user", "b")))
                        .isAccepted())
                .isFalse();
    }

    private static boolean reads(Consumer<ObjectNode> change) {
        ObjectNode template = Json.object();
        template.putArray("bos");
        template.putArray("generation");
        template.putArray("stop");
        ObjectNode user = template.putObject("roles").putObject("user");
        user.putArray("before");
        user.putArray("after");
        change.accept(template);
        return ChatTemplate.read(template).isAccepted();
    }

    private static void literals(ObjectNode template, int count, int chars) {
        ArrayNode list = template.putArray("stop");
        for (int i = 0; i < count; i++) {
            list.add("x".repeat(chars));
        }
    }

    @Test
    void aTemplateIsBounded() {
        assertThat(reads(template -> literals(template, 16, 64))).isTrue();
        assertThat(reads(template -> literals(template, 17, 64))).isFalse();
        assertThat(reads(template -> literals(template, 16, 65))).isFalse();
        assertThat(reads(template -> roles(template, 15))).isTrue();
        assertThat(reads(template -> roles(template, 16))).isFalse();
    }

    private static void roles(ObjectNode template, int more) {
        for (int i = 0; i < more; i++) {
            ObjectNode role = template.withObjectProperty("roles").putObject("role" + i);
            role.putArray("before");
            role.putArray("after");
        }
    }
}
