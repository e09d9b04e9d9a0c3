package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.architectures.DecodeBatcher;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.KernelPool;
import dev.holdfast.engine.kernels.Kernels;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.VectorKernels;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.gguf.GgmlType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Several answers that are decoded together get what each would get alone. */
class DecodeBatcherTest {
    private static final ModelShape SHAPE = new ModelShape(128, 3, 96, 4, 2, 32, 160, 300);
    /** What {@link ReferenceLogitsTest} allows other orders of 32-bit sums, whose logits reach 14, as a part of the largest logit. */
    private static final float TOLERANCE = 2e-4f / 14;

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "F32,1", "F32,2", "F32,3", "F32,7", "Q8_0,3", "Q8_0,4", "Q8_0,16", "Q4_0,2", "Q4_0,5", "Q5_0,4", "Q6_K,3"
    })
    void aStepGivesEachSequenceItsOwnLogits(GgmlType type, int count) throws Exception {
        ModelShape shape = type == GgmlType.Q6_K ? new ModelShape(128, 2, 256, 4, 2, 64, 256, 300) : SHAPE;
        try (Workers workers = Workers.of(2);
                LoadedModel model = model(shape, type, workers)) {
            Transformer decoder = model.decoder().orThrow();
            Random random = new Random(count);
            Sequence[] together = new Sequence[count];
            Sequence[] alone = new Sequence[count];
            int[] tokens = new int[count];
            for (int i = 0; i < count; i++) {
                together[i] = model.newSequence();
                alone[i] = model.newSequence();
                // Each stands elsewhere, some at the beginning of a page.
                int[] prompt = random.ints(1 + 21 * i % 64, 0, 300).toArray();
                decoder.read(together[i], prompt, 0, prompt.length, null);
                decoder.read(alone[i], prompt, 0, prompt.length, null);
            }
            for (int step = 0; step < 5; step++) {
                for (int i = 0; i < count; i++) {
                    tokens[i] = random.nextInt(300);
                    decoder.read(alone[i], tokens, i, 1, null);
                }
                decoder.step(together, tokens, count);
                for (int i = 0; i < count; i++) {
                    assertThat(together[i].position()).isEqualTo(alone[i].position());
                    assertThat(distance(together[i].logits, alone[i].logits)).isLessThan(TOLERANCE);
                }
            }
        }
    }

    /** A prompt that others are read within, between any two layers, is read as it would be alone, and so are they. */
    @Test
    void promptsThatAreReadWithinAnotherOneDisturbNothing() throws Exception {
        try (Workers workers = Workers.of(2);
                LoadedModel model = model(SHAPE, GgmlType.Q8_0, workers)) {
            Transformer decoder = model.decoder().orThrow();
            Random random = new Random(17);
            int[] prompt = random.ints(64, 0, 300).toArray();
            int[] inner = random.ints(10, 0, 300).toArray();
            Sequence alone = model.newSequence();
            decoder.read(alone, prompt, 0, prompt.length, null);
            Sequence innerAlone = model.newSequence();
            decoder.read(innerAlone, inner, 0, inner.length, null);
            List<Sequence> within = new ArrayList<>();
            Sequence interrupted = model.newSequence();
            decoder.read(interrupted, prompt, 0, prompt.length, null, () -> {
                within.add(model.newSequence());
                decoder.read(within.getLast(), inner, 0, inner.length, null);
            });
            assertThat(within).hasSize(SHAPE.layers() - 1);
            assertThat(interrupted.logits).containsExactly(alone.logits);
            within.forEach(each -> assertThat(each.logits).containsExactly(innerAlone.logits));
        }
    }

    @Test
    void whoComesDuringAStepGoesWithTheNext() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        AtomicInteger largest = new AtomicInteger();
        AtomicBoolean first = new AtomicBoolean(true);
        Kernels real = new VectorKernels();
        Kernels watched = (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("rmsNorm") && first.getAndSet(false)) {
                        begun.countDown();
                        assertThat(go.await(20, TimeUnit.SECONDS)).isTrue();
                    }
                    if (method.getName().equals("products")) {
                        largest.accumulateAndGet((int) arguments[5], Math::max);
                    }
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
        try (Workers workers = new Workers(watched, new KernelPool(1));
                LoadedModel model = model(SHAPE, GgmlType.F32, workers);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            DecodeBatcher batcher = model.batcher().orThrow();
            List<Future<?>> answers = new ArrayList<>();
            answers.add(threads.submit(() -> batcher.member(model.newSequence()).read(1)));
            assertThat(begun.await(20, TimeUnit.SECONDS)).isTrue();
            for (int i = 0; i < 3; i++) {
                answers.add(
                        threads.submit(() -> batcher.member(model.newSequence()).read(2)));
            }
            Awaitility.await().pollInterval(Duration.ofMillis(1)).until(() -> batcher.waiting() >= 3);
            go.countDown();
            for (Future<?> answer : answers) {
                answer.get(20, TimeUnit.SECONDS);
            }
            assertThat(largest).hasValue(3);
        }
    }

    @Test
    void manyAtOnceAndWhoLeavesHoldsNobodyUp() throws Exception {
        try (Workers workers = Workers.of(2);
                LoadedModel model = model(SHAPE, GgmlType.Q8_0, workers);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            DecodeBatcher batcher = model.batcher().orThrow();
            List<Future<float[]>> answers = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                int tokens = 5 + 5 * i;
                answers.add(threads.submit(() -> {
                    DecodeBatcher.Member member = batcher.member(model.newSequence());
                    for (int t = 0; t < tokens; t++) {
                        member.read(tokens + t);
                    }
                    return member.sequence().logits;
                }));
            }
            for (int i = 0; i < 20; i++) {
                float[] logits = answers.get(i).get(60, TimeUnit.SECONDS);
                Sequence alone = model.newSequence();
                for (int t = 0; t < 5 + 5 * i; t++) {
                    model.decoder().orThrow().read(alone, new int[] {5 + 5 * i + t}, 0, 1, null);
                }
                assertThat(distance(logits, alone.logits)).isLessThan(TOLERANCE);
            }
            assertThat(batcher.waiting()).isZero();
        }
    }

    /** A token that does not exist stands for any fault of ours that one answer brings to light. */
    @Test
    void oneAnswersFaultIsNotAnothers() throws Exception {
        try (Workers workers = Workers.of(1);
                LoadedModel model = model(SHAPE, GgmlType.F32, workers);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            DecodeBatcher batcher = model.batcher().orThrow();
            Future<?> good = threads.submit(() -> {
                DecodeBatcher.Member member = batcher.member(model.newSequence());
                for (int t = 0; t < 60; t++) {
                    member.read(t);
                }
                assertThat(member.sequence().position()).isEqualTo(60);
            });
            int refused = 0;
            for (int t = 0; t < 30; t++) {
                try {
                    batcher.member(model.newSequence()).read(Integer.MAX_VALUE);
                } catch (IndexOutOfBoundsException e) {
                    refused++;
                }
            }
            try {
                good.get(20, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                throw new AssertionError(e.getCause());
            }
            assertThat(refused).isEqualTo(30);
        }
    }

    /** What the JVM throws where a page of the mapped file cannot be read. Nobody's answer may go on with what was not computed. */
    @Test
    void anErrorOfTheMachineReachesEveryAnswer() throws Exception {
        AtomicBoolean broken = new AtomicBoolean();
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        AtomicBoolean first = new AtomicBoolean(true);
        Kernels real = new VectorKernels();
        Kernels faulty = (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("rmsNorm") && first.getAndSet(false)) {
                        begun.countDown();
                        assertThat(go.await(20, TimeUnit.SECONDS)).isTrue();
                    }
                    if (broken.get()) {
                        throw new InternalError("a page");
                    }
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
        try (Workers workers = new Workers(faulty, new KernelPool(1));
                LoadedModel model = model(SHAPE, GgmlType.F32, workers);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            DecodeBatcher batcher = model.batcher().orThrow();
            List<Future<?>> answers = new ArrayList<>();
            answers.add(threads.submit(() -> batcher.member(model.newSequence()).read(1)));
            assertThat(begun.await(20, TimeUnit.SECONDS)).isTrue();
            for (int i = 0; i < 3; i++) {
                answers.add(
                        threads.submit(() -> batcher.member(model.newSequence()).read(2)));
            }
            Awaitility.await().pollInterval(Duration.ofMillis(1)).until(() -> batcher.waiting() >= 3);
            broken.set(true);
            go.countDown();
            for (Future<?> answer : answers) {
                assertThat(answer)
                        .failsWithin(Duration.ofSeconds(20))
                        .withThrowableOfType(ExecutionException.class)
                        .withCauseInstanceOf(InternalError.class);
            }
            broken.set(false);
            batcher.member(model.newSequence()).read(3);
            assertThat(batcher.waiting()).isZero();
        }
    }

    /** A step may fail when it has advanced some of its sequences. */
    @Test
    void afterAFaultAtTheEndOfASharedStepNobodyHasReadItsTokenTwice() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        AtomicBoolean first = new AtomicBoolean(true);
        AtomicInteger completed = new AtomicInteger();
        Kernels real = new VectorKernels();
        Kernels faulty = (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("rmsNorm") && first.getAndSet(false)) {
                        begun.countDown();
                        assertThat(go.await(20, TimeUnit.SECONDS)).isTrue();
                    }
                    // The first answer's logits, then those of the three that go together.
                    if (method.getName().equals("addBias")
                            && ((float[]) arguments[0]).length == SHAPE.vocabulary()
                            && completed.incrementAndGet() == 3) {
                        throw new IllegalStateException("at the second of three");
                    }
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
        try (Workers workers = new Workers(faulty, new KernelPool(1));
                LoadedModel model = model(SHAPE, GgmlType.F32, workers);
                ExecutorService threads = Executors.newCachedThreadPool()) {
            DecodeBatcher batcher = model.batcher().orThrow();
            List<DecodeBatcher.Member> members = new ArrayList<>();
            List<Future<?>> answers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                DecodeBatcher.Member member = batcher.member(model.newSequence());
                members.add(member);
                int token = 1 + i;
                answers.add(threads.submit(() -> member.read(token)));
                if (i == 0) {
                    assertThat(begun.await(20, TimeUnit.SECONDS)).isTrue();
                }
            }
            Awaitility.await().pollInterval(Duration.ofMillis(1)).until(() -> batcher.waiting() >= 3);
            go.countDown();
            for (Future<?> answer : answers) {
                answer.get(20, TimeUnit.SECONDS);
            }
            for (int i = 0; i < 4; i++) {
                Sequence alone = model.newSequence();
                model.decoder().orThrow().read(alone, new int[] {1 + i}, 0, 1, null);
                assertThat(members.get(i).sequence().position()).isOne();
                assertThat(distance(members.get(i).sequence().logits, alone.logits))
                        .isLessThan(TOLERANCE);
            }
        }
    }

    private static float distance(float[] actual, float[] expected) {
        float largest = 0;
        float off = 0;
        for (int i = 0; i < expected.length; i++) {
            largest = Math.max(largest, Math.abs(expected[i]));
            off = Math.max(off, Math.abs(actual[i] - expected[i]));
        }
        return off / largest;
    }

    /** Keys and values stay 32-bit floats: smaller ones make steps of the differences. */
    private LoadedModel model(ModelShape shape, GgmlType type, Workers workers) throws Exception {
        Path path = folder.resolve("m.gguf");
        new RandomModel("qwen3", shape, type, 7).writeDecoder(path);
        return LoadedModel.load(path, workers, 128, CacheType.F32).orThrow();
    }
}
