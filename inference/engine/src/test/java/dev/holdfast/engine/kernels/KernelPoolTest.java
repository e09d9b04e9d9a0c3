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

    private static Set<Thread> helpersOf(KernelPool pool, int count) {
        Thread caller = Thread.currentThread();
        Set<Thread> helpers = ConcurrentHashMap.newKeySet();
        KernelPool.Job job = job(index -> {
            if (Thread.currentThread() != caller) {
                helpers.add(Thread.currentThread());
            }
            Thread.yield();
        });
        while (helpers.size() < count) {
            pool.run(job, CHUNKS, new float[1]);
        }
        return helpers;
    }

    /** The JVM tells of a page that cannot be read where it likes to, also when the chunk is over. */
    @Test
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aFaultOutsideOfAChunkIsHeardOfAndCostsNoHelper() {
        Thread caller = Thread.currentThread();
        try (KernelPool pool = new KernelPool(3)) {
            Set<Thread> helpers = helpersOf(pool, 2);
            AtomicInteger failed = new AtomicInteger();
            KernelPool.Job faulty = new KernelPool.Job() {
                @Override
                public int scratchFloats() {
                    if (Thread.currentThread() != caller) {
                        failed.incrementAndGet();
                        throw new InternalError("a page");
                    }
                    return 1;
                }

                @Override
                public void chunk(int index, float[] scratch) {
                    while (failed.get() < 2) {
                        Thread.onSpinWait();
                    }
                }
            };
            assertThatThrownBy(() -> {
                        pool.run(faulty, CHUNKS, new float[1]);
                        // It may have come when that one was done.
                        while (true) {
                            pool.run(job(index -> {}), CHUNKS, new float[1]);
                        }
                    })
                    .isInstanceOf(InternalError.class);
            Set<Thread> later = ConcurrentHashMap.newKeySet();
            while (later.size() < 2) {
                try {
                    later.addAll(helpersOf(pool, 1));
                } catch (InternalError e) {
                    // The other one's.
                }
            }
            assertThat(later).isEqualTo(helpers);
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
