package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.holdfast.engine.text.Message;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Whatever a conversation's file holds, reading it ends in a verdict, soon and within its memory. */
class ConversationFuzzTest {
    private static final int SOME = 5_000;
    private static final int MANY = 500_000;
    private static final long MAX_CASE_BYTES = 16L << 20;
    private static final long MAX_CASE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final byte[] WHOLE =
            "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"A\\n\"}]}"
                    .getBytes(StandardCharsets.UTF_8);
    private static final String[] WORDS = {
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "null",
        "1e999",
        "\\u0000",
        "\"role\"",
        "\"content\"",
        "\"messages\"",
        "\\ud800"
    };

    @Test
    void someFilesEndInAVerdict() {
        files(SOME, 1);
    }

    @Test
    @Tag("soak")
    void manyFilesEndInAVerdict() {
        files(MANY, 2);
    }

    private static void files(int cases, long seed) {
        Random random = new Random(seed);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int read = 0;
        for (int round = 0; round < cases; round++) {
            byte[] bytes = mutated(random);
            long allocated = threads.getCurrentThreadAllocatedBytes();
            long started = threads.getCurrentThreadCpuTime();
            Verdict<List<Message>> verdict = ConversationFile.read(bytes);
            assertThat(threads.getCurrentThreadCpuTime() - started)
                    .as("round %d", round)
                    .isLessThan(MAX_CASE_NANOS);
            assertThat(threads.getCurrentThreadAllocatedBytes() - allocated)
                    .as("round %d", round)
                    .isLessThan(MAX_CASE_BYTES);
            if (verdict instanceof Verdict.Accepted<List<Message>>(List<Message> messages)) {
                read++;
                assertThat(messages).isNotEmpty();
            }
        }
        // Else what is tried is not near what is right, or nothing is looked at.
        assertThat(read).isBetween(cases / 50, cases * 9 / 10);
    }

    private static byte[] mutated(Random random) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int changes = random.nextInt(4);
        int next = 0;
        for (int i = 0; i < changes; i++) {
            int at = next + random.nextInt(WHOLE.length - next + 1);
            out.write(WHOLE, next, at - next);
            next = Math.min(WHOLE.length, at + random.nextInt(4));
            switch (random.nextInt(3)) {
                case 0 -> out.writeBytes(WORDS[random.nextInt(WORDS.length)].getBytes(StandardCharsets.UTF_8));
                case 1 ->
                    out.writeBytes(WORDS[random.nextInt(WORDS.length)]
                            .repeat(random.nextInt(2000))
                            .getBytes(StandardCharsets.UTF_8));
                default -> out.write(random.nextInt(256));
            }
        }
        out.write(WHOLE, next, WHOLE.length - next);
        return out.toByteArray();
    }
}
