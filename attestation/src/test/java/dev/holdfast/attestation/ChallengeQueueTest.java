package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ChallengeQueueTest {
    private final AtomicLong now = new AtomicLong();
    private final AtomicInteger inFlight = new AtomicInteger();
    private final AtomicInteger mostInFlight = new AtomicInteger();
    private final AtomicInteger quotes = new AtomicInteger();
    private final Semaphore open = new Semaphore(0);
    private final ChallengeQueue queue = new ChallengeQueue(this::quote, new ChallengeQueue.Limits(4, 20, 8), now::get);

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

    private static Code refusal(CompletableFuture<byte[]> answer) {
        assertThat(answer).isCompletedExceptionally();
        return ((RejectedException) answer.exceptionNow()).rejection().code();
    }

    @Test
    void aFloodCostsOneQuoteAtATimeAndFewInAll() throws Exception {
        List<CompletableFuture<byte[]>> answers = new ArrayList<>();
        for (int i = 0; i < 100_000; i++) {
            answers.add(queue.answer(nonce(i)));
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

    @Test
    void theBucketFillsAgainAtItsRate() throws Exception {
        open.release(1 << 20);
        int answered = 0;
        for (int i = 0; i < 30; i++) {
            CompletableFuture<byte[]> answer = queue.answer(nonce(i));
            if (answer.isCompletedExceptionally() && answer.exceptionNow() instanceof RejectedException) {
                break;
            }
            answer.get(10, TimeUnit.SECONDS);
            answered++;
        }
        assertThat(answered).isEqualTo(8);
        now.addAndGet(TimeUnit.MILLISECONDS.toNanos(100));
        assertThat(queue.answer(nonce(100)).get(10, TimeUnit.SECONDS))
                .isEqualTo(nonce(100).toArray());
        queue.answer(nonce(101)).get(10, TimeUnit.SECONDS);
        assertThat(refusal(queue.answer(nonce(102)))).isEqualTo(Code.API_BUSY);
    }

    @Test
    void theSameNonceIsAnsweredOnce() throws Exception {
        CompletableFuture<byte[]> first = queue.answer(nonce(1));
        CompletableFuture<byte[]> second = queue.answer(nonce(1));
        open.release(1);
        assertThat(second.get(10, TimeUnit.SECONDS)).isEqualTo(first.get(10, TimeUnit.SECONDS));
        assertThat(quotes).hasValue(1);
        open.release(1);
        queue.answer(nonce(1)).get(10, TimeUnit.SECONDS);
        assertThat(quotes).hasValue(2);
    }

    @Test
    void aFailureReachesItsCallerAndTheNextChallengeIsAnswered() throws Exception {
        AtomicInteger calls = new AtomicInteger();
        try (ChallengeQueue failing = new ChallengeQueue(
                nonce -> {
                    if (calls.getAndIncrement() == 0) {
                        throw new TeeException(Code.TEE_UNAVAILABLE, "gone");
                    }
                    return nonce.toArray();
                },
                ChallengeQueue.Limits.DEFAULT)) {
            assertThatThrownBy(() -> failing.answer(nonce(1)).get(10, TimeUnit.SECONDS))
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(TeeException.class);
            assertThat(failing.answer(nonce(1)).get(10, TimeUnit.SECONDS)).isEqualTo(nonce(1).toArray());
        }
    }

    @Test
    void refusesANonceThatIsTooShortOrTooLong() {
        assertThat(refusal(queue.answer(Binary.copyOf(new byte[7])))).isEqualTo(Code.WIRE_FIELD);
        assertThat(refusal(queue.answer(Binary.copyOf(new byte[65])))).isEqualTo(Code.WIRE_FIELD);
    }
}
