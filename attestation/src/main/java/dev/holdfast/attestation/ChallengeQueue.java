package dev.holdfast.attestation;

import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Where all challenges come together, whoever asks: from the broker, from the command line, from local programs. One
 * quote is in flight at a time, on the thread {@code attest}; a nonce that is being answered already is not answered
 * twice; a few may wait; and a bucket of tokens bounds what a flood can cost in the long run. What is too much fails with
 * {@code API-BUSY} at once. Thread-safe.
 */
public final class ChallengeQueue implements AutoCloseable {
    /** Makes evidence; {@link Attester#attest} is one. */
    @FunctionalInterface
    public interface Source {
        byte[] attest(Binary nonce) throws IOException, TeeException;
    }

    /**
     * @param waiting challenges that may wait while one is answered
     * @param perSecond challenges that are answered each second in the long run
     * @param burst challenges that may come at once after a quiet time
     */
    public record Limits(int waiting, double perSecond, int burst) {
        /** Fast enough for a swarm of verifiers, slow enough to leave the processor to the answers. */
        public static final Limits DEFAULT = new Limits(4, 25, 8);

        public Limits {
            if (waiting < 0 || !(perSecond > 0) || burst < 1) {
                throw new IllegalArgumentException("limits out of range");
            }
        }
    }

    private final Source source;
    private final Limits limits;
    private final LongSupplier nanoTime;
    private final Map<Binary, CompletableFuture<byte[]>> underWay = new HashMap<>();
    private final ThreadPoolExecutor worker;
    private double tokens;
    private long filledAtNanos;

    public ChallengeQueue(Source source, Limits limits) {
        this(source, limits, System::nanoTime);
    }

    ChallengeQueue(Source source, Limits limits, LongSupplier nanoTime) {
        this.source = source;
        this.limits = limits;
        this.nanoTime = nanoTime;
        this.tokens = limits.burst();
        this.filledAtNanos = nanoTime.getAsLong();
        this.worker = new ThreadPoolExecutor(
                1,
                1,
                0,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(Math.max(1, limits.waiting())),
                job -> Thread.ofPlatform().name("attest").daemon().unstarted(job));
    }

    /**
     * The evidence for a nonce of {@value Attester#MIN_NONCE_BYTES} to {@value Attester#MAX_NONCE_BYTES} bytes. The future
     * fails with {@link RejectedException}, {@link IOException} or {@link TeeException}, never by itself with another.
     */
    public CompletableFuture<byte[]> answer(Binary nonce) {
        if (nonce.length() < Attester.MIN_NONCE_BYTES || nonce.length() > Attester.MAX_NONCE_BYTES) {
            return CompletableFuture.failedFuture(new RejectedException(
                    Code.WIRE_FIELD,
                    "a nonce has " + Attester.MIN_NONCE_BYTES + " to " + Attester.MAX_NONCE_BYTES + " bytes"));
        }
        CompletableFuture<byte[]> answer = new CompletableFuture<>();
        synchronized (this) {
            CompletableFuture<byte[]> same = underWay.get(nonce);
            if (same != null) {
                return same;
            }
            if (!takeToken()) {
                return busy("too many challenges in the last second");
            }
            underWay.put(nonce, answer);
        }
        try {
            worker.execute(() -> work(nonce, answer));
        } catch (RejectedExecutionException e) {
            forget(nonce);
            return busy(limits.waiting() + " challenges wait already");
        }
        return answer;
    }

    private void work(Binary nonce, CompletableFuture<byte[]> answer) {
        byte[] evidence;
        try {
            evidence = source.attest(nonce);
        } catch (IOException | TeeException | RuntimeException e) {
            forget(nonce);
            answer.completeExceptionally(e);
            return;
        }
        forget(nonce);
        answer.complete(evidence);
    }

    private synchronized void forget(Binary nonce) {
        underWay.remove(nonce);
    }

    private boolean takeToken() {
        long now = nanoTime.getAsLong();
        tokens = Math.min(limits.burst(), tokens + (now - filledAtNanos) * limits.perSecond() / 1e9);
        filledAtNanos = now;
        if (tokens < 1) {
            return false;
        }
        tokens--;
        return true;
    }

    private static CompletableFuture<byte[]> busy(String detail) {
        return CompletableFuture.failedFuture(new RejectedException(Code.API_BUSY, detail));
    }

    @Override
    public void close() {
        worker.shutdownNow();
    }
}
