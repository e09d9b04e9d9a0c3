package dev.holdfast.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.sun.management.ThreadMXBean;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever a file holds, the reader answers with a value, soon, and without taking memory that the file does not back. What
 * is read without a fault is also looked at in every part.
 */
class GgufFuzzTest {
    private static final int MANY = 1_000_000;
    private static final int SOME = 20_000;
    /** One case must not allocate more: then no heap of this size can run out, whatever the collector does. */
    private static final long MAX_CASE_BYTES = 64L << 20;

    /** Of the processor: how long the machine lets a thread wait is no property of a reader. */
    private static final long MAX_CASE_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** Numbers at which arithmetic breaks. */
    private static final long[] EDGES = {
        0,
        1,
        -1,
        Long.MIN_VALUE,
        Long.MAX_VALUE,
        1L << 61,
        1L << 32,
        (1L << 32) - 1,
        1L << 31,
        Integer.MAX_VALUE,
        31,
        33,
        (1L << 62) / 34,
        Long.MAX_VALUE - 31
    };

    @TempDir
    Path folder;

    private byte[] whole = {};

    @BeforeEach
    void write() throws IOException {
        Path path = folder.resolve("seed.gguf");
        new GgufWriter()
                .put("general.architecture", "llama")
                .put("llama.block_count", 7)
                .put("llama.rope.freq_base", 10000f)
                .put("some.flag", true)
                .put("words", GgufValue.Texts.of(java.util.List.of("", "a", "ccc")))
                .put("scores", GgufValue.Numbers.ofFloats(1f, -2.5f))
                .tensor("a", GgmlType.F32, RowSource.of(new float[10]), 5, 2)
                .tensor("b", GgmlType.Q4_K, RowSource.of(new float[512]), 256, 2)
                .tensor("c", GgmlType.Q8_0, RowSource.of(new float[192]), 64, 3)
                .write(path);
        whole = Files.readAllBytes(path);
    }

    @FuzzTest(maxDuration = "1m")
    void header(byte[] bytes) {
        read(bytes);
    }

    @Test
    void someHeadersEndInAVerdict() {
        headers(SOME, 1);
    }

    @Test
    @Tag("soak")
    void aMillionHeadersEndInAVerdict() {
        headers(MANY, 2);
    }

    private void headers(int cases, long seed) {
        Random random = new Random(seed);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int accepted = 0;
        long longest = 0;
        long largest = 0;
        for (int round = 0; round < cases; round++) {
            byte[] bytes = mutated(random);
            long allocated = threads.getCurrentThreadAllocatedBytes();
            long started = threads.getCurrentThreadCpuTime();
            accepted += read(bytes) ? 1 : 0;
            long nanos = threads.getCurrentThreadCpuTime() - started;
            long taken = threads.getCurrentThreadAllocatedBytes() - allocated;
            assertThat(nanos).as("round %d of seed %d", round, seed).isLessThan(MAX_CASE_NANOS);
            assertThat(taken).as("round %d of seed %d", round, seed).isLessThan(MAX_CASE_BYTES);
            longest = Math.max(longest, nanos);
            largest = Math.max(largest, taken);
        }
        System.out.printf(
                "%d headers, %d read and the others refused, at most %.1f ms and %d KiB for one%n",
                cases, accepted, longest / 1e6, largest >> 10);
        // Both ways are walked: a fuzz target whose cases all fail at the first byte tests nothing.
        assertThat(accepted).isBetween(cases / 200, cases - cases / 20);
    }

    private byte[] mutated(Random random) {
        byte[] bytes = whole.clone();
        int head = Math.min(bytes.length, 480);
        for (int changes = random.nextInt(1, 5); changes > 0; changes--) {
            int at = random.nextInt(head);
            switch (random.nextInt(5)) {
                case 0 -> bytes[at] = (byte) random.nextInt();
                case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 2 ->
                    ByteBuffer.wrap(bytes)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(Math.min(at, head - Long.BYTES), EDGES[random.nextInt(EDGES.length)]);
                case 3 -> System.arraycopy(bytes, random.nextInt(head - 24), bytes, Math.min(at, head - 24), 24);
                default -> bytes = random.nextInt(8) == 0 ? Arrays.copyOf(bytes, Math.max(head, at)) : bytes;
            }
        }
        return bytes;
    }

    private static boolean read(byte[] bytes) {
        Verdict<GgufFile> verdict = GgufReader.read(MemorySegment.ofArray(bytes));
        if (!(verdict instanceof Verdict.Accepted<GgufFile>(GgufFile file))) {
            return false;
        }
        for (GgufTensor tensor : file.tensors()) {
            assertThat(tensor.offset()).isBetween(0L, (long) bytes.length);
            assertThat(tensor.byteLength()).isBetween(0L, bytes.length - tensor.offset());
        }
        for (String key : file.metadata().keySet()) {
            file.text(key, "");
            file.whole(key, 0, Long.MAX_VALUE, 0L);
            file.real(key, 0.0);
            file.texts(key);
            file.numbers(key);
        }
        return true;
    }
}
