package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.TokenShares;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
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

    private KeyedThreads.Job stuck() {
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

    private static KeyedThreads.Job telling(CompletableFuture<?> done) {
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

    private static final KeyedThreads.Owner ALICE = new KeyedThreads.Owner(1001, true);
    private static final KeyedThreads.Owner BOB = new KeyedThreads.Owner(1002, true);
    private static final KeyedThreads.Owner CAROL = new KeyedThreads.Owner(1003, true);

    @Test
    void anOwnerLeavesPlacesForOthers() throws Exception {
        try (KeyedThreads shared = new KeyedThreads("shared", new KeyedThreads.Bounds(4, 3, 4, 3, 1))) {
            for (int i = 0; i < 6; i++) {
                assertThat(shared.submit("a", ALICE, stuck())).isEqualTo(KeyedThreads.Admitted.YES);
            }
            assertThat(shared.submit("a", ALICE, stuck())).isEqualTo(KeyedThreads.Admitted.SHARE_FULL);
            CompletableFuture<Void> other = new CompletableFuture<>();
            assertThat(shared.submit("a", BOB, () -> {
                        other.complete(null);
                        awaitQuietly(open);
                        return NOTHING;
                    }))
                    .isEqualTo(KeyedThreads.Admitted.YES);
            other.get(20, TimeUnit.SECONDS);
            assertThat(shared.submit("a", KeyedThreads.Owner.ANY, stuck()))
                    .as("one more waits")
                    .isEqualTo(KeyedThreads.Admitted.YES);
            assertThat(shared.submit("a", BOB, stuck())).isEqualTo(KeyedThreads.Admitted.FULL);
            open.countDown();
        }
    }

    @Test
    void theNextIsOfTheOwnerThatRunsTheFewest() throws Exception {
        try (KeyedThreads shared = new KeyedThreads("shared", new KeyedThreads.Bounds(2, 2, 8, 8, 1))) {
            List<String> order = new CopyOnWriteArrayList<>();
            CountDownLatch one = new CountDownLatch(1);
            CountDownLatch all = new CountDownLatch(4);
            assertThat(shared.submit("a", ALICE, stuck())).isEqualTo(KeyedThreads.Admitted.YES);
            assertThat(shared.submit("a", ALICE, () -> {
                        awaitQuietly(one);
                        return NOTHING;
                    }))
                    .isEqualTo(KeyedThreads.Admitted.YES);
            for (String name : List.of("alice", "alice", "bob", "carol")) {
                KeyedThreads.Owner owner =
                        Map.of("alice", ALICE, "bob", BOB, "carol", CAROL).get(name);
                assertThat(shared.submit("a", requireNonNull(owner), () -> {
                            order.add(name);
                            all.countDown();
                            return NOTHING;
                        }))
                        .isEqualTo(KeyedThreads.Admitted.YES);
            }
            one.countDown();
            assertThat(all.await(20, TimeUnit.SECONDS)).isTrue();
            assertThat(order).containsExactly("bob", "carol", "alice", "alice");
            open.countDown();
        }
    }

    @Test
    void theNextIsOfTheOwnerThatWasGivenLeast() throws Exception {
        TokenShares shares = new TokenShares();
        try (KeyedThreads shared = new KeyedThreads("shared", new KeyedThreads.Bounds(1, 1, 8, 8, 1), shares)) {
            List<String> order = new CopyOnWriteArrayList<>();
            CountDownLatch all = new CountDownLatch(3);
            assertThat(shared.submit("a", CAROL, stuck())).isEqualTo(KeyedThreads.Admitted.YES);
            for (KeyedThreads.Owner owner : List.of(ALICE, BOB, BOB)) {
                assertThat(shared.submit("a", owner, () -> {
                            order.add(owner == ALICE ? "alice" : "bob");
                            shares.of(owner.id()).made();
                            all.countDown();
                            return NOTHING;
                        }))
                        .isEqualTo(KeyedThreads.Admitted.YES);
            }
            shares.of(ALICE.id()).made();
            open.countDown();
            assertThat(all.await(20, TimeUnit.SECONDS)).isTrue();
            // Bob's first makes them equal, and Alice came before his second.
            assertThat(order).containsExactly("bob", "alice", "bob");
        }
    }

    @Test
    void whatNobodyWaitsForHoldsNoPlace() {
        AtomicBoolean wanted = new AtomicBoolean(true);
        KeyedThreads.Job left = new KeyedThreads.Job() {
            @Override
            public Runnable get() {
                throw new AssertionError("nobody wants it");
            }

            @Override
            public boolean wanted() {
                return wanted.get();
            }
        };
        assertThat(threads.submit("a", stuck())).isTrue();
        assertThat(threads.submit("a", left)).isTrue();
        assertThat(threads.submit("a", left)).isTrue();
        assertThat(threads.submit("a", stuck())).as("two wait").isFalse();
        wanted.set(false);
        assertThat(threads.submit("a", stuck())).isTrue();
    }
}
