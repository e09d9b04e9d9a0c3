package dev.holdfast.engine.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.holdfast.engine.Fixtures;
import dev.holdfast.engine.MappedModel;
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
    /** Of the processor: how long the machine lets a thread wait is no property of a tokenizer. */
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
            long longest = 0;
            long largest = 0;
            for (int round = 0; round < cases; round++) {
                String text = text(random, vocabulary);
                long allocated = threads.getCurrentThreadAllocatedBytes();
                long started = threads.getCurrentThreadCpuTime();
                int[] ids = tokenizer.encode(text, random.nextBoolean());
                long nanos = threads.getCurrentThreadCpuTime() - started;
                long bytes = threads.getCurrentThreadAllocatedBytes() - allocated;
                assertThat(nanos).as("round %d", round).isLessThan(MAX_CASE_NANOS);
                assertThat(bytes).as("round %d", round).isLessThan(MAX_CASE_BYTES);
                longest = Math.max(longest, nanos);
                largest = Math.max(largest, bytes);
                for (int id : ids) {
                    if (id < 0 || id >= vocabulary.size() || id != vocabulary.unknown() && vocabulary.isControl(id)) {
                        throw new AssertionError("round " + round + " yields token " + id);
                    }
                }
                assertThat(tokenizer.decode(ids)).isNotNull();
            }
            System.out.printf(
                    "%s: %d texts, at most %.1f ms and %d KiB for one%n", name, cases, longest / 1e6, largest >> 10);
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
