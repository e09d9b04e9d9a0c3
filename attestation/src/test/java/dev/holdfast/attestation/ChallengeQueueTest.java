package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.ChallengeQueue.Limits;
import dev.holdfast.attestation.ChallengeQueue.Share;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ChallengeQueueTest {
    private static final Share SHARE = new Share(4, 20, 8);
    private static final Limits LIMITS =
            new Limits(Map.of(Asker.FLEET, SHARE, Asker.LINK, SHARE, Asker.CONTROL, SHARE, Asker.PROGRAMS, SHARE));

    private final AtomicLong now = new AtomicLong();
    private final AtomicInteger inFlight = new AtomicInteger();
    private final AtomicInteger mostInFlight = new AtomicInteger();
    private final AtomicInteger quotes = new AtomicInteger();
    private final Semaphore open = new Semaphore(0);
    private final ChallengeQueue queue = new ChallengeQueue(this::quote, LIMITS, now::get);

    private byte[] quote(Binary nonce) throws TeeException {
        mostInFlight.accumulateAndGet(inFlight.incrementAndGet(), Math::max);
        quotes.incrementAndGet();
        open.acquireUninterruptibly();
        inFlight.decrementAndGet();
        return nonce.toArray();
    }

    private static Binary nonce(int number) {
        return Models.hash("nonce " + number).value();
    }

    @AfterEach
    void close() {
        open.release(1 << 20);
        queue.close();
    }

    private CompletableFuture<byte[]> ask(int number) {
        return queue.answer(Asker.LINK, nonce(number));
    }

    private static Code refusal(CompletableFuture<byte[]> answer) {
        assertThat(answer).isCompletedExceptionally();
        return ((RejectedException) answer.exceptionNow()).rejection().code();
    }

    @Test
    void aFloodCostsOneQuoteAtATimeAndFewInAll() throws Exception {
        List<CompletableFuture<byte[]>> answers = new ArrayList<>();
        for (int i = 0; i < 100_000; i++) {
            answers.add(ask(i));
        }
        open.release(1 << 20);
        int answered = 0;
        for (CompletableFuture<byte[]> answer : answers) {
            if (answer.isCompletedExceptionally()) {
                assertThat(refusal(answer)).isEqualTo(Code.API_BUSY);
            } else {
                answer.get(10, TimeUnit.SECONDS);
                answered++;
            }
        }
        assertThat(answered).isBetween(1, 5); // one under way, four that wait
        assertThat(quotes).hasValue(answered);
        assertThat(mostInFlight).hasValue(1);
    }

    /** One of them asks as fast as it can, on hardware that takes a while for each quote: each of the others is answered in time. */
    @ParameterizedTest
    @EnumSource(Asker.class)
    void aFloodByOneAskerHoldsUpNoOther(Asker hostile) throws Exception {
        Duration quote = Duration.ofMillis(20);
        AtomicBoolean flooding = new AtomicBoolean(true);
        AtomicInteger asked = new AtomicInteger();
        try (ChallengeQueue slow = new ChallengeQueue(
                nonce -> {
                    LockSupport.parkNanos(quote.toNanos());
                    return nonce.toArray();
                },
                Limits.DEFAULT)) {
            Thread flood = Thread.ofPlatform().start(() -> {
                while (flooding.get()) {
                    var unused = slow.answer(hostile, nonce(asked.incrementAndGet()));
                }
            });
            Awaitility.await().until(() -> asked.get() > 1_000);
            for (Asker honest : Asker.values()) {
                for (int i = 1; i <= (honest == hostile ? 0 : 4); i++) {
                    byte[] evidence = slow.answer(honest, nonce(-i)).get(5, TimeUnit.SECONDS); // a refusal would throw
                    assertThat(evidence).isEqualTo(nonce(-i).toArray());
                }
            }
            assertThat(slow.waiting()).isLessThanOrEqualTo(9);
            flooding.set(false);
            flood.join();
        }
    }

    /** Four remote challenges at once beside a local program's flood, in turn with it. */
    @Test
    void askersTakeTurns() throws Exception {
        List<String> order = new ArrayList<>();
        try (ChallengeQueue turns = new ChallengeQueue(
                nonce -> {
                    open.acquireUninterruptibly();
                    return nonce.toArray();
                },
                LIMITS)) {
            List<CompletableFuture<?>> all = new ArrayList<>();
            all.add(turns.answer(Asker.PROGRAMS, nonce(0)));
            Awaitility.await().until(open::hasQueuedThreads);
            for (int i = 1; i <= 4; i++) {
                all.add(turns.answer(Asker.PROGRAMS, nonce(i)).thenRun(() -> order.add("program")));
            }
            for (int i = 1; i <= 4; i++) {
                all.add(turns.answer(Asker.LINK, nonce(i)).thenRun(() -> order.add("link")));
            }
            open.release(100);
            CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)).get(10, TimeUnit.SECONDS);
        }
        assertThat(order).containsExactly("link", "program", "link", "program", "link", "program", "link", "program");
    }

    @Test
    void theBucketSetsThePaceAndFillsAgain() throws Exception {
        open.release(1 << 20);
        for (int i = 0; i < 8; i++) {
            ask(i).get(10, TimeUnit.SECONDS);
        }
        CompletableFuture<byte[]> ninth = ask(8);
        CompletableFuture<byte[]> tenth = ask(9);
        // Another asker's bucket is full.
        queue.answer(Asker.FLEET, nonce(8)).get(10, TimeUnit.SECONDS);
        assertThat(ninth).isNotDone();
        now.addAndGet(TimeUnit.MILLISECONDS.toNanos(50));
        assertThat(ninth.get(10, TimeUnit.SECONDS)).isEqualTo(nonce(8).toArray());
        assertThat(tenth).isNotDone();
        now.addAndGet(TimeUnit.MILLISECONDS.toNanos(50));
        tenth.get(10, TimeUnit.SECONDS);
    }

    @Test
    void theSameNonceIsAnsweredOnce() throws Exception {
        CompletableFuture<byte[]> first = ask(1);
        CompletableFuture<byte[]> second = ask(1);
        open.release(1);
        assertThat(second.get(10, TimeUnit.SECONDS)).isEqualTo(first.get(10, TimeUnit.SECONDS));
        assertThat(quotes).hasValue(1);
        open.release(1);
        ask(1).get(10, TimeUnit.SECONDS);
        assertThat(quotes).hasValue(2);
    }

    /** A program that saw the nonce of a verifier does not have the verifier wait in the programs' line. */
    @Test
    void theSameNonceOfAnotherAskerWaitsInItsOwnLine() throws Exception {
        CompletableFuture<byte[]> program = queue.answer(Asker.PROGRAMS, nonce(1));
        CompletableFuture<byte[]> link = ask(1);
        assertThat(link).isNotSameAs(program);
        open.release(2);
        link.get(10, TimeUnit.SECONDS);
        program.get(10, TimeUnit.SECONDS);
        assertThat(quotes).hasValue(2);
    }

    @Test
    void nothingStaysOfWhatWasAnswered() throws Exception {
        open.release(1 << 20);
        for (int i = 0; i < 1_000; i++) {
            CompletableFuture<byte[]> answer = ask(i);
            now.addAndGet(TimeUnit.SECONDS.toNanos(1));
            answer.get(10, TimeUnit.SECONDS);
        }
        assertThat(queue.waiting()).isZero();
    }

    @Test
    void aFailureReachesItsCallerAndTheNextChallengeIsAnswered() throws Exception {
        AtomicInteger calls = new AtomicInteger();
        List<Throwable> failures = List.of(
                new TeeException(Code.TEE_UNAVAILABLE, "gone"),
                new IOException("no disk"),
                new IllegalStateException("a fault"),
                new InternalError("a mapped file was cut"));
        try (ChallengeQueue failing = new ChallengeQueue(
                nonce -> {
                    int call = calls.getAndIncrement();
                    if (call >= failures.size()) {
                        return nonce.toArray();
                    }
                    switch (failures.get(call)) {
                        case TeeException e -> throw e;
                        case IOException e -> throw e;
                        case RuntimeException e -> throw e;
                        case Throwable e -> throw (Error) e;
                    }
                },
                Limits.DEFAULT)) {
            for (Throwable failure : failures) {
                assertThatThrownBy(() -> failing.answer(Asker.CONTROL, nonce(1)).get(10, TimeUnit.SECONDS))
                        .isInstanceOf(ExecutionException.class)
                        .hasCause(failure);
            }
            assertThat(failing.answer(Asker.CONTROL, nonce(1)).get(10, TimeUnit.SECONDS))
                    .isEqualTo(nonce(1).toArray());
        }
    }

    @Test
    void whoWaitsWhenItClosesHearsOfIt() {
        CompletableFuture<byte[]> first = ask(1);
        CompletableFuture<byte[]> second = ask(2);
        queue.close();
        assertThat(first).isCompletedExceptionally();
        assertThat(second).isCompletedExceptionally();
        assertThat(ask(3)).isCompletedExceptionally();
    }

    @Test
    void refusesANonceThatIsTooShortOrTooLong() {
        assertThat(refusal(queue.answer(Asker.LINK, Binary.copyOf(new byte[7]))))
                .isEqualTo(Code.WIRE_FIELD);
        assertThat(refusal(queue.answer(Asker.LINK, Binary.copyOf(new byte[65]))))
                .isEqualTo(Code.WIRE_FIELD);
    }
}
