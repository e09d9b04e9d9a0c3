package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever a file says of its model, and whatever tensors it has besides: it is refused or runs, soon and in bounded memory, and
 * nothing throws.
 */
class ModelMetadataFuzzTest {
    private static final int SOME = 500;
    private static final int MANY = 100_000;
    private static final long MAX_CASE_BYTES = 64L << 20;
    private static final long MAX_CASE_NANOS = TimeUnit.SECONDS.toNanos(2);

    @TempDir
    Path folder;

    @Test
    void someFilesAreRefusedOrRun() throws Exception {
        models(SOME, 1);
    }

    @Test
    @Tag("soak")
    void aHundredThousandFilesAreRefusedOrRun() throws Exception {
        models(MANY, 2);
    }

    private void models(int cases, long seed) throws Exception {
        Random random = new Random(seed);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int ran = 0;
        for (int round = 0; round < cases; round++) {
            long allocated = threads.getCurrentThreadAllocatedBytes();
            long started = threads.getCurrentThreadCpuTime();
            ran += StrangeModels.tryOne(random::nextInt, folder) ? 1 : 0;
            assertThat(threads.getCurrentThreadCpuTime() - started)
                    .as("round %d", round)
                    .isLessThan(MAX_CASE_NANOS);
            assertThat(threads.getCurrentThreadAllocatedBytes() - allocated)
                    .as("round %d", round)
                    .isLessThan(MAX_CASE_BYTES);
        }
        System.out.printf("model metadata: %d files ran, %d were refused%n", ran, cases - ran);
        // Else what is tried is not near what is right, or nothing is looked at.
        assertThat(ran).isBetween(cases / 20, cases * 3 / 4);
    }
}
