package dev.holdfast.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class KernelPoolTest {
    private static final int CHUNKS = 64;

    private static KernelPool.Job job(IntConsumer chunk) {
        return new KernelPool.Job() {
            @Override
            public int scratchFloats() {
                return 1;
            }

            @Override
            public void chunk(int index, float[] scratch) {
                chunk.accept(index);
            }
        };
    }

    /** An InternalError is how the JVM tells that a page of a mapped file cannot be read. */
    @Test
    @Timeout(60)
    void theCallerHearsOfAChunkThatFailsOnAnotherThread() {
        Thread caller = Thread.currentThread();
        try (KernelPool pool = new KernelPool(3)) {
            Set<Thread> helpers = ConcurrentHashMap.newKeySet();
            for (int round = 0; round < 20; round++) {
                AtomicInteger done = new AtomicInteger();
                AtomicInteger failed = new AtomicInteger();
                KernelPool.Job faulty = job(index -> {
                    done.incrementAndGet();
                    if (Thread.currentThread() != caller) {
                        helpers.add(Thread.currentThread());
                        failed.incrementAndGet();
                        throw new InternalError("a page");
                    }
                    // Leaves the helpers time to take their part.
                    while (failed.get() == 0) {
                        Thread.onSpinWait();
                    }
                });
                assertThatThrownBy(() -> pool.run(faulty, CHUNKS, new float[1])).isInstanceOf(InternalError.class);
                assertThat(done).as("the others are done all the same").hasValue(CHUNKS);
            }
            assertThat(helpers).as("no helper is lost").hasSizeBetween(1, 2).allMatch(Thread::isAlive);
            AtomicInteger done = new AtomicInteger();
            pool.run(job(index -> done.incrementAndGet()), CHUNKS, new float[1]);
            assertThat(done).hasValue(CHUNKS);
        }
    }

    @Test
    @Timeout(60)
    void aChunkThatFailsOnTheCallersThreadLeavesNothingHalfDone() {
        Thread caller = Thread.currentThread();
        try (KernelPool pool = new KernelPool(3)) {
            for (int round = 0; round < 200; round++) {
                AtomicInteger done = new AtomicInteger();
                KernelPool.Job faulty = job(index -> {
                    done.incrementAndGet();
                    if (Thread.currentThread() == caller) {
                        throw new IllegalStateException("chunk " + index);
                    }
                });
                try {
                    pool.run(faulty, CHUNKS, new float[1]);
                } catch (IllegalStateException e) {
                    assertThat(e).hasMessageStartingWith("chunk ");
                }
                assertThat(done).hasValue(CHUNKS);
            }
        }
    }
}
