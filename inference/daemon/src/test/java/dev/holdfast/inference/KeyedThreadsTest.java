package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class KeyedThreadsTest {
    private static final Runnable NOTHING = () -> {};

    private final KeyedThreads threads = new KeyedThreads("test", new KeyedThreads.Bounds(1, 2, 2));
    private final CountDownLatch open = new CountDownLatch(1);

    @AfterEach
    void close() {
        open.countDown();
        threads.close();
    }

    private Supplier<Runnable> stuck() {
        return () -> {
            awaitQuietly(open);
            return NOTHING;
        };
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static Supplier<Runnable> telling(CompletableFuture<?> done) {
        return () -> {
            done.complete(null);
            return NOTHING;
        };
    }

    @Test
    void jobsOfOneKeyBeginInOrderAndThoseOfAnotherDoNotWait() throws Exception {
        List<String> order = new CopyOnWriteArrayList<>();
        CompletableFuture<Void> last = new CompletableFuture<>();
        assertThat(threads.submit("a", stuck())).isTrue();
        assertThat(threads.submit("a", () -> {
                    order.add("first");
                    return NOTHING;
                }))
                .isTrue();
        assertThat(threads.submit("a", () -> {
                    order.add("second");
                    return () -> last.complete(null);
                }))
                .isTrue();
        CompletableFuture<Void> other = new CompletableFuture<>();
        assertThat(threads.submit("b", telling(other))).isTrue();
        other.get(20, TimeUnit.SECONDS);
        assertThat(order).isEmpty();
        open.countDown();
        last.get(20, TimeUnit.SECONDS);
        assertThat(order).containsExactly("first", "second");
    }

    @Test
    void refusesMoreThanItsBounds() {
        assertThat(threads.submit("a", stuck())).isTrue();
        assertThat(threads.submit("a", stuck())).isTrue();
        assertThat(threads.submit("a", stuck())).isTrue();
        assertThat(threads.submit("a", stuck())).as("a third that waits").isFalse();
        assertThat(threads.submit("b", stuck())).isTrue();
        assertThat(threads.submit("c", stuck())).as("a third key").isFalse();
    }

    @Test
    void thePlaceIsFreeBeforeTheEndIsTold() throws Exception {
        CompletableFuture<Boolean> again = new CompletableFuture<>();
        CompletableFuture<Void> done = new CompletableFuture<>();
        KeyedThreads single = new KeyedThreads("single", new KeyedThreads.Bounds(1, 0, 1));
        assertThat(single.submit("a", () -> () -> again.complete(single.submit("a", telling(done)))))
                .isTrue();
        assertThat(again.get(20, TimeUnit.SECONDS)).isTrue();
        done.get(20, TimeUnit.SECONDS);
        single.close();
    }

    @Test
    void aJobThatFailsLeavesItsPlaceToTheNext() throws Exception {
        CompletableFuture<Void> after = new CompletableFuture<>();
        assertThat(threads.submit("a", () -> {
                    awaitQuietly(open);
                    throw new InternalError("a page that cannot be read");
                }))
                .isTrue();
        assertThat(threads.submit("a", () -> () -> {
                    throw new IllegalStateException("nobody hears it");
                }))
                .isTrue();
        assertThat(threads.submit("a", telling(after))).isTrue();
        open.countDown();
        after.get(20, TimeUnit.SECONDS);
    }

    @Test
    void takesNothingOnceItIsClosed() {
        threads.close();
        assertThat(threads.submit("a", stuck())).isFalse();
        assertThat(threads.submit("a", stuck())).isFalse();
    }
}
