package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TokenSharesTest {
    private static final long ALICE = 1001;
    private static final long BOB = 1002;

    private final TokenShares shares = new TokenShares();

    private void read(long user, int tokens) {
        shares.of(user).read(tokens, pause -> tokens);
    }

    @Test
    void whatIsMadeCountsTwiceWhatIsRead() {
        shares.arrive(ALICE);
        read(ALICE, 64);
        shares.of(ALICE).made();
        assertThat(shares.given(ALICE)).isEqualTo(66);
    }

    @Test
    void nobodySavesUpTurnsByStayingAway() {
        shares.arrive(ALICE);
        read(ALICE, 10_000);
        shares.arrive(BOB);
        assertThat(shares.given(BOB)).as("lifted").isEqualTo(10_000);
        read(BOB, 50);
        shares.leave(BOB);
        shares.arrive(BOB);
        assertThat(shares.given(BOB)).as("what he owes stays").isEqualTo(10_050);
    }

    @Test
    void aDebtStaysWhileOthersAreThere() {
        shares.arrive(ALICE);
        shares.arrive(BOB);
        read(ALICE, 500);
        shares.leave(ALICE);
        shares.arrive(ALICE);
        assertThat(shares.given(ALICE) - shares.given(BOB)).isEqualTo(500);
    }

    @Test
    void whereNobodyIsThereAllBeginAnew() {
        shares.arrive(ALICE);
        read(ALICE, 500);
        shares.leave(ALICE);
        shares.arrive(BOB);
        shares.arrive(ALICE);
        assertThat(shares.given(ALICE)).isEqualTo(shares.given(BOB));
    }

    @Test
    void usersThatAreAwayAreForgottenBeyondABound() {
        shares.arrive(ALICE);
        read(ALICE, 1);
        for (long user = 0; user < 100_000; user++) {
            shares.arrive(user + 10_000);
            read(user + 10_000, 1);
            shares.leave(user + 10_000);
        }
        assertThat(shares.accounts()).isLessThanOrEqualTo(1025);
        assertThat(shares.given(ALICE)).as("who is there stays").isEqualTo(1);
    }

    /** Alice has ten prompts of 40 pieces waiting, Bob comes with one of 4 while the first is read. */
    @Test
    void aShortPromptPassesTheLongOnesOfSomebodyElse() throws Exception {
        List<Long> order = new CopyOnWriteArrayList<>();
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch bobWaits = new CountDownLatch(1);
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            shares.arrive(ALICE);
            threads.add(Thread.ofPlatform().start(() -> {
                Turns turns = shares.of(ALICE);
                for (int piece = 0; piece < 40; piece++) {
                    turns.read(64, pause -> {
                        begun.countDown();
                        await(bobWaits);
                        order.add(ALICE);
                        return 64;
                    });
                }
            }));
        }
        await(begun);
        shares.arrive(BOB);
        Thread bob = Thread.ofPlatform().start(() -> {
            Turns turns = shares.of(BOB);
            for (int piece = 0; piece < 4; piece++) {
                turns.read(64, pause -> {
                    order.add(BOB);
                    return 64;
                });
            }
        });
        while (bob.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        bobWaits.countDown();
        threads.add(bob);
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(order).hasSize(404);
        // One of hers was being read; from then on his come as often as hers, or earlier.
        assertThat(order.lastIndexOf(BOB)).isBetween(4, 9);
    }

    @Test
    void onePieceAtATimeAndAFailedOneGivesItsTurnOn() throws Exception {
        shares.arrive(ALICE);
        int[] inside = {0};
        int[] most = {0};
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            boolean fails = i % 2 == 0;
            threads.add(Thread.ofPlatform().start(() -> {
                for (int piece = 0; piece < 100; piece++) {
                    try {
                        shares.of(ALICE).read(1, pause -> {
                            most[0] = Math.max(most[0], ++inside[0]);
                            Thread.yield();
                            inside[0]--;
                            if (fails) {
                                throw new IllegalStateException("a piece that cannot be read");
                            }
                            return 1;
                        });
                    } catch (IllegalStateException e) {
                        // The others go on.
                    }
                }
            }));
        }
        for (Thread thread : threads) {
            assertThat(thread.join(Duration.ofSeconds(30))).isTrue();
        }
        assertThat(most[0]).isEqualTo(1);
        assertThat(shares.given(ALICE)).isEqualTo(400);
    }

    @Test
    void anInterruptWaitsForItsTurn() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch open = new CountDownLatch(1);
        Thread holder = Thread.ofPlatform()
                .start(() -> shares.of(ALICE).read(1, pause -> {
                    inside.countDown();
                    await(open);
                    return 1;
                }));
        await(inside);
        boolean[] told = {false};
        Thread late = Thread.ofPlatform().start(() -> {
            read(BOB, 1);
            told[0] = Thread.currentThread().isInterrupted();
        });
        while (late.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        late.interrupt();
        open.countDown();
        holder.join();
        late.join();
        assertThat(told[0]).isTrue();
    }

    /** Bob comes while a piece of Alice's is between two layers: he is read before her next one. */
    @Test
    void whoWasGivenLessIsReadBetweenTwoLayers() throws Exception {
        shares.arrive(ALICE);
        assertThat(orderWithin(ALICE, 64, () -> shares.arrive(BOB), BOB, 10))
                .containsExactly("layer", "other", "layer", "layer");
    }

    @Test
    void whoWasGivenAsMuchWaitsForTheWholePiece() throws Exception {
        shares.arrive(ALICE);
        shares.arrive(BOB);
        read(BOB, 64);
        assertThat(orderWithin(ALICE, 64, () -> {}, BOB, 10)).containsExactly("layer", "layer", "layer", "other");
    }

    @Test
    void aShorterPieceOfTheSameUserIsReadBetweenTwoLayers() throws Exception {
        shares.arrive(ALICE);
        assertThat(orderWithin(ALICE, 64, () -> {}, ALICE, 10)).containsExactly("layer", "other", "layer", "layer");
        assertThat(orderWithin(ALICE, 10, () -> {}, ALICE, 64)).containsExactly("layer", "layer", "layer", "other");
    }

    /** Many short requests of one user hold up a long one of the same user by one of them for each piece. */
    @Test
    void aPieceGivesWayToItsOwnUserOnce() throws Exception {
        shares.arrive(ALICE);
        List<String> order = new CopyOnWriteArrayList<>();
        List<Thread> others = new ArrayList<>();
        shares.of(ALICE).read(64, pause -> {
            for (int layer = 0; layer < 3; layer++) {
                others.add(waiting(() -> shares.of(ALICE).read(1, any -> {
                    order.add("other");
                    return 1;
                })));
                pause.run();
                order.add("layer");
            }
            return 64;
        });
        for (Thread other : others) {
            other.join();
        }
        assertThat(order).containsExactly("other", "layer", "layer", "layer", "other", "other");
    }

    /** What was read of each is charged once, also where pieces were read in between. */
    @Test
    void nobodyIsChargedTwiceForAPause() throws Exception {
        shares.arrive(ALICE);
        orderWithin(ALICE, 64, () -> shares.arrive(BOB), BOB, 10);
        assertThat(shares.given(ALICE)).isEqualTo(64);
        assertThat(shares.given(BOB)).isEqualTo(10);
    }

    /** A piece of three layers; the other one comes within the first. */
    private List<String> orderWithin(long user, int tokens, Runnable before, long otherUser, int otherTokens)
            throws InterruptedException {
        List<String> order = new CopyOnWriteArrayList<>();
        List<Thread> others = new ArrayList<>();
        shares.of(user).read(tokens, pause -> {
            order.add("layer");
            before.run();
            others.add(waiting(() -> shares.of(otherUser).read(otherTokens, any -> {
                order.add("other");
                return otherTokens;
            })));
            pause.run();
            order.add("layer");
            pause.run();
            order.add("layer");
            return tokens;
        });
        for (Thread other : others) {
            other.join();
        }
        return order;
    }

    private static Thread waiting(Runnable work) {
        Thread thread = Thread.ofPlatform().start(work);
        while (thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        return thread;
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
