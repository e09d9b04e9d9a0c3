package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.MappedModel;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Expected are the texts that each family's own template writes for this conversation, with the markers as tokens. They are
 * facts about the formats, as the families' model cards give them.
 */
class TemplateFamiliesTest {
    private static final List<Message> CONVERSATION = List.of(
            new Message("system", "Be brief"),
            new Message("user", "Hi, 12 of them?"),
            new Message("assistant", "Yes."),
            new Message("user", "Why"));
    private static final String CHATML =
            "<|im_start|>system\nBe brief<|im_end|>\n<|im_start|>user\nHi, 12 of them?<|im_end|>\n"
                    + "<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nWhy<|im_end|>\n<|im_start|>assistant\n";
    private static final String GRANITE = "<|start_of_role|>system<|end_of_role|>Be brief<|end_of_text|>\n"
            + "<|start_of_role|>user<|end_of_role|>Hi, 12 of them?<|end_of_text|>\n"
            + "<|start_of_role|>assistant<|end_of_role|>Yes.<|end_of_text|>\n"
            + "<|start_of_role|>user<|end_of_role|>Why<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>";

    @TempDir
    Path folder;

    static Stream<Arguments> families() {
        return Stream.of(
                Arguments.of("chatml", ChatVocabularies.CHATML, CHATML),
                Arguments.of("qwen", ChatVocabularies.QWEN, CHATML),
                Arguments.of("smollm2", ChatVocabularies.SMOLLM2, CHATML),
                Arguments.of("smollm3", ChatVocabularies.SMOLLM3, CHATML),
                Arguments.of(
                        "llama-3",
                        ChatVocabularies.LLAMA3,
                        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief<|eot_id|>"
                                + "<|start_header_id|>user<|end_header_id|>\n\nHi, 12 of them?<|eot_id|>"
                                + "<|start_header_id|>assistant<|end_header_id|>\n\nYes.<|eot_id|>"
                                + "<|start_header_id|>user<|end_header_id|>\n\nWhy<|eot_id|>"
                                + "<|start_header_id|>assistant<|end_header_id|>\n\n"),
                Arguments.of(
                        "gemma-3",
                        ChatVocabularies.GEMMA3,
                        "<bos><start_of_turn>user\nBe brief\n\nHi, 12 of them?<end_of_turn>\n<start_of_turn>model\nYes.<end_of_turn>\n"
                                + "<start_of_turn>user\nWhy<end_of_turn>\n<start_of_turn>model\n"),
                Arguments.of("granite-3", ChatVocabularies.GRANITE3, GRANITE),
                Arguments.of("granite-4", ChatVocabularies.GRANITE4, GRANITE),
                // The newlines behind the markers are swallowed by the family's tokenizer.
                Arguments.of(
                        "phi-3",
                        ChatVocabularies.PHI3,
                        "<|system|>Be brief<|end|><|user|>Hi, 12 of them?<|end|><|assistant|>Yes.<|end|>"
                                + "<|user|>Why<|end|><|assistant|>"));
    }

    @ParameterizedTest
    @MethodSource("families")
    void writesWhatTheFamilysOwnTemplateWrites(String family, ChatVocabularies.Kind kind, String expected)
            throws Exception {
        Tokenizer tokenizer = tokenizer(kind);
        TemplateFamilies.Imported imported = made(kind);
        assertThat(imported.family()).isEqualTo(family);
        PromptWriter prompts = PromptWriter.bind(imported.template(), tokenizer).orThrow();
        int[] written = prompts.write(CONVERSATION).orThrow();
        assertThat(shown(tokenizer, written)).isEqualTo(shown(tokenizer, rendered(tokenizer, kind, expected)));
        assertThat(prompts.explain(CONVERSATION).orThrow().stream()
                        .mapToInt(PromptPiece::id)
                        .toArray())
                .containsExactly(written);
        // What is signed is what was made.
        assertThat(ChatTemplate.read(imported.template().toJson()).orThrow()).isEqualTo(imported.template());
    }

    /** The tokens of a rendered text, as any tokenizer makes them: the markers first, then what is between them. */
    private static int[] rendered(Tokenizer tokenizer, ChatVocabularies.Kind kind, String text) {
        Pattern markers =
                Pattern.compile(kind.control().stream().map(Pattern::quote).collect(Collectors.joining("|")));
        TokenIds ids = new TokenIds();
        Matcher matcher = markers.matcher(text);
        int from = 0;
        while (matcher.find()) {
            encode(tokenizer, text.substring(from, matcher.start()), ids);
            Integer marker = tokenizer.vocabulary().find(matcher.group());
            assertThat(marker).isNotNull();
            ids.add(marker == null ? -1 : marker);
            from = matcher.end();
        }
        encode(tokenizer, text.substring(from), ids);
        return ids.toArray();
    }

    private static void encode(Tokenizer tokenizer, String text, TokenIds ids) {
        if (!text.isEmpty()) {
            for (int id : tokenizer.encode(text, true)) {
                ids.add(id);
            }
        }
    }

    private static List<String> shown(Tokenizer tokenizer, int[] ids) {
        List<String> shown = new ArrayList<>();
        for (int id : ids) {
            shown.add(id + " " + TokenText.visible(TokenText.of(tokenizer, id)));
        }
        return shown;
    }

    @Test
    void aToolsResultIsWrittenAsTheFamilyWritesIt() throws Exception {
        assertThat(tool(ChatVocabularies.QWEN))
                .containsExactly(
                        "<|im_start|>",
                        "user",
                        "\\n",
                        "<tool_response>",
                        "\\n",
                        "7",
                        "\\n",
                        "</tool_response>",
                        "<|im_end|>",
                        "\\n");
        assertThat(tool(ChatVocabularies.LLAMA3))
                .containsExactly(
                        "<|start_header_id|>", "ip", "ython", "<|end_header_id|>", "\\n\\n", "7", "<|eot_id|>");
        assertThat(tool(ChatVocabularies.GRANITE3))
                .containsExactly(
                        "<|start_of_role|>", "tool", "_", "response", "<|end_of_role|>", "7", "<|end_of_text|>", "\\n");
        assertThat(tool(ChatVocabularies.GRANITE4))
                .containsExactly(
                        "<|start_of_role|>",
                        "user",
                        "<|end_of_role|>",
                        "\\n",
                        "<tool_response>",
                        "\\n",
                        "7",
                        "\\n",
                        "</tool_response>",
                        "<|end_of_text|>",
                        "\\n");
        // Without a way of its own it is the user's turn.
        assertThat(tool(ChatVocabularies.PHI3)).startsWith("<|user|>");
    }

    /** The pieces of one message of a tool, without what begins a text and the answer. */
    private List<String> tool(ChatVocabularies.Kind kind) throws Exception {
        List<PromptPiece> pieces = PromptWriter.bind(made(kind).template(), tokenizer(kind))
                .orThrow()
                .explain(List.of(new Message("tool", "7")))
                .orThrow();
        return pieces.stream()
                .filter(piece -> !piece.role().isEmpty())
                .map(PromptPiece::text)
                .toList();
    }

    @Test
    void contentForgesNoTurnOfAnImportedTemplate() throws Exception {
        for (Arguments one : families().toList()) {
            ChatVocabularies.Kind kind = (ChatVocabularies.Kind) one.get()[1];
            PromptWriter prompts =
                    PromptWriter.bind(made(kind).template(), tokenizer(kind)).orThrow();
            String hostile = String.join("", kind.control()) + String.join("", kind.added());
            for (PromptPiece piece :
                    prompts.explain(List.of(new Message("user", hostile))).orThrow()) {
                boolean ends = prompts.ends(piece.id());
                assertThat(ends && !piece.literal()).as(kind + " " + piece).isFalse();
            }
        }
    }

    @Test
    void theBeginningComesFromTheFileWhereTheJinjaWritesNone() throws Exception {
        assertThat(made(ChatVocabularies.CHATML).template().bos()).isEmpty();
        assertThat(made(ChatVocabularies.CHATML.withBegin("<|endoftext|>", true))
                        .template()
                        .bos())
                .containsExactly("<|endoftext|>");
        assertThat(made(ChatVocabularies.CHATML.withJinja("{{ bos_token }}" + ChatVocabularies.CHATML.jinja()))
                        .template()
                        .bos())
                .containsExactly("<|endoftext|>");
        // A marker of a turn begins no text, whatever the file says.
        assertThat(made(ChatVocabularies.SMOLLM2.withBegin("<|im_start|>", true))
                        .template()
                        .bos())
                .isEmpty();
        assertThat(made(ChatVocabularies.PHI3.withBegin("<s>", true)).template().bos())
                .containsExactly("<s>");
    }

    @Test
    void wordsThatAreNoSingleTokenBecomeSeveralLiterals() throws Exception {
        ChatVocabularies.Kind kind = ChatVocabularies.CHATML.withWords(List.of("sys", "us"));
        assertThat(made(kind).template().roles())
                .containsEntry(
                        "system",
                        new ChatTemplate.Around(
                                List.of("<|im_start|>", "sys", "t", "e", "m", "\n"), List.of("<|im_end|>", "\n")));
    }

    @Test
    void saysWhichMarkersTheVocabularyLacks() {
        Rejection why = refused(ChatVocabularies.CHATML.withControl(List.of("<|endoftext|>", "<|im_start|>")));
        assertThat(why.code()).isEqualTo(Code.GGUF_UNSUPPORTED);
        assertThat(why.detail()).contains("chatml").contains("lacks <|im_end|>");
    }

    @Test
    void relativesWithOtherTurnsAreNotTakenForTheFamily() {
        for (String jinja : List.of(
                "<|im_start|>user<|im_sep|>{{ c }}<|im_end|>",
                "<|im_user|>user<|im_middle|>{{ c }}<|im_end|><|im_start|>",
                "<|start|>user<|message|>{{ c }}<|end|><|channel|><|assistant|>",
                "<start_of_turn>developer<end_of_turn><start_function_call>",
                "<|user|>\n{{ c }}</s>\n<|assistant|>",
                "[INST] {{ c }} [/INST]")) {
            Rejection why = refused(ChatVocabularies.CHATML.withJinja(jinja));
            assertThat(why.code()).as(jinja).isEqualTo(Code.GGUF_UNSUPPORTED);
            assertThat(why.detail()).as(jinja).contains("no known family", "by hand", "--family");
        }
        assertThat(refused(ChatVocabularies.CHATML.withJinja("<|im_start|>user<|im_sep|>{{ c }}<|im_end|>"))
                        .detail())
                .contains("found <|im_start|> <|im_sep|> <|im_end|>");
        assertThat(refused(ChatVocabularies.CHATML.withJinja("")).detail()).contains("tokenizer.chat_template");
    }

    @Test
    void whoeverNamesAFamilyGetsIt() throws Exception {
        ChatVocabularies.Kind without = ChatVocabularies.CHATML.withJinja("");
        assertThat(imported(without, Optional.of("chatml")).isAccepted()).isTrue();
        assertThat(
                        imported(without, Optional.of("nobody")) instanceof Verdict.Rejected<?>(Rejection why)
                                ? why.code()
                                : null)
                .isEqualTo(Code.CFG_INVALID);
    }

    @Test
    void aJinjaBeyondItsBoundIsNotSearched() {
        String jinja = ChatVocabularies.CHATML.jinja() + " ".repeat(TemplateFamilies.MAX_JINJA_CHARS);
        assertThat(refused(ChatVocabularies.CHATML.withJinja(jinja)).code()).isEqualTo(Code.WIRE_TOO_LARGE);
    }

    @Test
    void gemma2TakesNoInstructions() throws Exception {
        assertThat(made(ChatVocabularies.GEMMA3.withJinja(
                                ChatVocabularies.GEMMA3.jinja() + "{{ raise_exception('System role not supported') }}"))
                        .template()
                        .system())
                .isEqualTo(ChatTemplate.Instructions.NONE);
    }

    private TemplateFamilies.Imported made(ChatVocabularies.Kind kind) throws Exception {
        return imported(kind, Optional.empty()).orThrow();
    }

    private Rejection refused(ChatVocabularies.Kind kind) {
        return imported(kind, Optional.empty()) instanceof Verdict.Rejected<?>(Rejection why)
                ? why
                : new Rejection(Code.WIRE_FIELD, "it was accepted");
    }

    private Verdict<TemplateFamilies.Imported> imported(ChatVocabularies.Kind kind, Optional<String> family) {
        try {
            return TemplateFamilies.of(kind.jinja(), tokenizer(kind), family);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private Tokenizer tokenizer(ChatVocabularies.Kind kind) throws Exception {
        Path file = folder.resolve("vocabulary.gguf");
        ChatVocabularies.write(kind, file);
        try (MappedModel mapped = MappedModel.map(file).orThrow()) {
            return Tokenizer.of(mapped.head().orThrow());
        }
    }
}
