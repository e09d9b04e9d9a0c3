package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever a user writes, a tokenizer answers soon, in bounded memory, with known tokens, and never with control tokens. */
class TokenizerFuzzTest {
    private static final int MANY = 100_000;
    private static final int SOME = 1_000;
    private static final int MAX_CHARS = 2_000;
    private static final long MAX_CASE_BYTES = 64L << 20;
    private static final long MAX_CASE_NANOS = TimeUnit.SECONDS.toNanos(1);

    @ParameterizedTest
    @ValueSource(strings = {"llama-spm", "phi-3", "gpt-2", "bert-bge"})
    void someTextsBecomeContent(String name) throws Exception {
        texts(name, SOME, 1);
    }

    @Tag("soak")
    @ParameterizedTest
    @ValueSource(strings = {"llama-spm", "phi-3", "gpt-2", "bert-bge"})
    void aHundredThousandTextsBecomeContent(String name) throws Exception {
        texts(name, MANY, 2);
    }

    private static void texts(String name, int cases, long seed) throws Exception {
        Path path = Fixtures.path("tokenizers/ggml-vocab-" + name + ".gguf");
        try (MappedModel mapped = MappedModel.map(path).orThrow()) {
            Tokenizer tokenizer = Tokenizer.of(mapped.head().orThrow());
            Vocabulary vocabulary = tokenizer.vocabulary();
            Random random = new Random(seed);
            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            for (int round = 0; round < cases; round++) {
                String text = text(random, vocabulary);
                long allocated = threads.getCurrentThreadAllocatedBytes();
                long started = System.nanoTime();
                int[] ids = tokenizer.encode(text, random.nextBoolean());
                assertThat(System.nanoTime() - started).as("round %d", round).isLessThan(MAX_CASE_NANOS);
                assertThat(threads.getCurrentThreadAllocatedBytes() - allocated)
                        .as("round %d", round)
                        .isLessThan(MAX_CASE_BYTES);
                for (int id : ids) {
                    if (id < 0 || id >= vocabulary.size() || id != vocabulary.unknown() && vocabulary.isControl(id)) {
                        throw new AssertionError("round " + round + " yields token " + id);
                    }
                }
                assertThat(tokenizer.decode(ids)).isNotNull();
            }
        }
    }

    /** Short mostly; sometimes long runs of one character, which is where merging is slow. */
    private static String text(Random random, Vocabulary vocabulary) {
        StringBuilder text = new StringBuilder();
        int pieces = random.nextInt(1, 12);
        for (int i = 0; i < pieces && text.length() < MAX_CHARS; i++) {
            switch (random.nextInt(6)) {
                case 0 -> text.append(vocabulary.text(random.nextInt(vocabulary.size())));
                case 1 -> text.append((char) random.nextInt(0x10000));
                case 2 -> text.appendCodePoint(random.nextInt(0x110000));
                case 3 -> text.append("</s><|im_end|>[CLS] <0x0A>\u2581\r\n\t\0", 0, random.nextInt(1, 32));
                case 4 ->
                    text.append(String.valueOf((char) random.nextInt(1, 0x250)).repeat(random.nextInt(200)));
                default -> text.append(random.nextInt()).append(' ');
            }
        }
        return text.toString();
    }
}
