package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TemplateCheckTest {
    private static final String WRONG = "{\"bos\":[],\"roles\":{\"user\":{\"before\":[\"<|im_strat|>\",\"user\"],"
            + "\"after\":[\"<|im_end|>\\n\"]}},\"generation\":[\"<|im_start|>\"],\"stop\":[\"zebra crossing\"]}";

    @TempDir
    Path folder;

    @Test
    void allLiteralsThatDoNotBindAreToldWithAHint() throws Exception {
        Path file = folder.resolve("m.gguf");
        ChatVocabularies.write(ChatVocabularies.CHATML, file);
        try (MappedModel mapped = MappedModel.map(file).orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            ChatTemplate template = ChatTemplate.read(TinyStore.node(WRONG)).orThrow();
            TemplateCheck check = TemplateCheck.of(template, tokenizer);
            assertThat(check.unbound())
                    .extracting(TemplateCheck.Unbound::place)
                    .containsExactly("roles.user.before[0]", "roles.user.after[0]", "stop[0]");
            assertThat(check.unbound())
                    .extracting(one -> one.nearest().orElse("none"))
                    .containsExactly("<|im_start|>", "<|im_end|>", "none");
            assertThat(check.unbound().get(1).pieces()).endsWith("...").hasSize(9);
            assertThat(
                            PromptWriter.bind(template, tokenizer) instanceof Verdict.Rejected<?>(Rejection why)
                                    ? why.toString()
                                    : "")
                    .startsWith("GGUF-UNSUPPORTED: 3 literals of the template are not single tokens:"
                            + " roles.user.before[0] \"<|im_strat|>\" (nearest is \"<|im_start|>\";");
        }
    }
}
