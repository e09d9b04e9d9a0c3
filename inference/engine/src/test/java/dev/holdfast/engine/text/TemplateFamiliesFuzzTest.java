package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever a file says as its Jinja, it is refused or gives a template that binds, soon and in bounded memory. */
class TemplateFamiliesFuzzTest {
    private static final int SOME = 3_000;
    private static final int MANY = 300_000;
    private static final long MAX_CASE_BYTES = 16L << 20;
    private static final long MAX_CASE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final List<String> PARTS = List.of(
            "<|im_start|>",
            "<|im_start|>user",
            "<|im_end|>",
            "<tool_response>",
            "named SmolLM",
            "/no_think",
            "Custom Instructions",
            "<|im_sep|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
            "ipython",
            "<start_of_turn>",
            "<end_of_turn>",
            "<|start_of_role|>",
            "<|end_of_role|>",
            "<|end_of_text|>",
            "<|end|>",
            "<|assistant|>",
            "bos_token",
            "System role not supported",
            "{{",
            "}}",
            "<",
            ">",
            "\u202e",
            "\0",
            "\n");

    @TempDir
    Path folder;

    @Test
    void someTextsAreRefusedOrBind() throws Exception {
        texts(SOME, 1);
    }

    @Test
    @Tag("soak")
    void manyTextsAreRefusedOrBind() throws Exception {
        texts(MANY, 2);
    }

    private void texts(int cases, long seed) throws Exception {
        List<ChatVocabularies.Kind> kinds = List.of(
                ChatVocabularies.QWEN,
                ChatVocabularies.LLAMA3,
                ChatVocabularies.GEMMA3,
                ChatVocabularies.GRANITE4,
                ChatVocabularies.PHI3);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        Random random = new Random(seed);
        int made = 0;
        for (ChatVocabularies.Kind kind : kinds) {
            Path file = folder.resolve("m.gguf");
            ChatVocabularies.write(kind, file);
            try (MappedModel mapped = MappedModel.map(file).orThrow()) {
                Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
                for (int round = 0; round < cases / kinds.size(); round++) {
                    String jinja = text(random, kind.jinja());
                    long allocated = threads.getCurrentThreadAllocatedBytes();
                    long started = threads.getCurrentThreadCpuTime();
                    Verdict<TemplateFamilies.Imported> verdict =
                            TemplateFamilies.of(jinja, tokenizer, Optional.empty());
                    assertThat(threads.getCurrentThreadCpuTime() - started).isLessThan(MAX_CASE_NANOS);
                    assertThat(threads.getCurrentThreadAllocatedBytes() - allocated)
                            .isLessThan(MAX_CASE_BYTES);
                    switch (verdict) {
                        case Verdict.Accepted<TemplateFamilies.Imported>(TemplateFamilies.Imported imported) -> {
                            made++;
                            assertThat(TemplateCheck.of(imported.template(), tokenizer)
                                            .binds())
                                    .isTrue();
                        }
                        case Verdict.Rejected<TemplateFamilies.Imported>(Rejection why) ->
                            assertThat(why.detail()).doesNotContain("\u202e", "\0", "\n");
                    }
                }
            }
        }
        // Else what is tried is not near what is right, or nothing is looked at.
        assertThat(made).isBetween(cases / 20, cases * 9 / 10);
    }

    private static String text(Random random, String jinja) {
        StringBuilder text = new StringBuilder(random.nextBoolean() ? jinja : "");
        int parts = random.nextInt(12);
        for (int i = 0; i < parts; i++) {
            String part = PARTS.get(random.nextInt(PARTS.size()));
            if (random.nextInt(4) == 0) {
                text.append(part.repeat(random.nextInt(1, 4000)));
            } else if (random.nextInt(4) == 0 && !text.isEmpty()) {
                int at = random.nextInt(text.length());
                text.delete(at, Math.min(text.length(), at + random.nextInt(8)));
            } else {
                text.insert(random.nextInt(text.length() + 1), part);
            }
        }
        return text.toString();
    }
}
