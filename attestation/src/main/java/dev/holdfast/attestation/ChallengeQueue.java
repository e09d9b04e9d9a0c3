package dev.holdfast.attestation;

import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Where all challenges come together, whoever asks: from the broker, from the command line, from local programs. One quote is in
 * flight at a time, on the thread {@code attest}. Each {@link Asker} has places of its own in which challenges wait, and a bucket of
 * tokens that sets their pace; the askers take turns. So a flood by one of them costs the others one quote before each of theirs, and
 * nothing else. A nonce that the same asker waits for already is not answered twice. What finds no place fails with {@code API-BUSY}
 * at once, and nothing is kept of what is answered. Thread-safe.
 */
public final class ChallengeQueue implements AutoCloseable {
    /** Makes evidence; {@link Attester#attest} is one. */
    @FunctionalInterface
    public interface Source {
        byte[] attest(Binary nonce) throws IOException, TeeException;
    }

    /**
     * What one asker has.
     *
     * @param waiting challenges that may wait
     * @param perSecond challenges that are answered each second in the long run
     * @param burst challenges that are answered at once after a quiet time
     */
    public record Share(int waiting, double perSecond, int burst) {
        public Share {
            if (waiting < 1 || !(perSecond > 0) || burst < 1) {
                throw new IllegalArgumentException("share out of range");
            }
        }
    }

    /** The share of each asker. */
    public record Limits(Map<Asker, Share> shares) {
        /** Fast enough for a swarm of verifiers, slow enough to leave the processor to the answers. */
        public static final Limits DEFAULT = new Limits(Map.of(
                Asker.FLEET, new Share(8, 25, 8),
                Asker.LINK, new Share(4, 25, 8),
                Asker.CONTROL, new Share(4, 8, 8),
                Asker.PROGRAMS, new Share(4, 8, 8)));

        public Limits {
            shares = Map.copyOf(shares);
            for (Asker asker : Asker.values()) {
                if (!shares.containsKey(asker)) {
                    throw new IllegalArgumentException("no share of " + asker);
                }
            }
        }
    }

    private final Source source;
    private final LongSupplier nanoTime;
    private final Map<Asker, Line> lines = new EnumMap<>(Asker.class);
    private final Thread worker = Thread.ofPlatform().name("attest").daemon().unstarted(this::work);
    /** The asker whose turn comes last. */
    private Asker served = Asker.PROGRAMS;

    private boolean closed;

    public ChallengeQueue(Source source, Limits limits) {
        this(source, limits, System::nanoTime);
    }

    ChallengeQueue(Source source, Limits limits, LongSupplier nanoTime) {
        this.source = source;
        this.nanoTime = nanoTime;
        limits.shares().forEach((asker, share) -> lines.put(asker, new Line(asker, share, nanoTime.getAsLong())));
        worker.start();
    }

    /** The challenges of one asker, oldest first; the first may be the one that is being answered. */
    private static final class Line {
        final Asker asker;
        final Share share;
        final Map<Binary, CompletableFuture<byte[]>> waiting = new LinkedHashMap<>();

        @Nullable
        Binary underWay;

        double tokens;
        long filledAtNanos;

        Line(Asker asker, Share share, long now) {
            this.asker = asker;
            this.share = share;
            this.tokens = share.burst();
            this.filledAtNanos = now;
        }

        boolean isFull() {
            return waiting.size() - (underWay == null ? 0 : 1) >= share.waiting();
        }

        /** Nanoseconds until the next of them may be answered; none where nobody waits. */
        long readyIn(long now) {
            if (waiting.isEmpty()) {
                return Long.MAX_VALUE;
            }
            tokens = Math.min(share.burst(), tokens + (now - filledAtNanos) * share.perSecond() / 1e9);
            filledAtNanos = now;
            return tokens >= 1 ? 0 : (long) Math.ceil((1 - tokens) * 1e9 / share.perSecond());
        }
    }

    private record Turn(Line line, Binary nonce, CompletableFuture<byte[]> answer) {}

    /**
     * The evidence for a nonce of {@value Attester#MIN_NONCE_BYTES} to {@value Attester#MAX_NONCE_BYTES} bytes. The future
     * fails with {@link RejectedException}, {@link IOException} or {@link TeeException}, never by itself with another.
     */
    public CompletableFuture<byte[]> answer(Asker asker, Binary nonce) {
        if (nonce.length() < Attester.MIN_NONCE_BYTES || nonce.length() > Attester.MAX_NONCE_BYTES) {
            return CompletableFuture.failedFuture(new RejectedException(
                    Code.WIRE_FIELD,
                    "a nonce has " + Attester.MIN_NONCE_BYTES + " to " + Attester.MAX_NONCE_BYTES + " bytes"));
        }
        synchronized (this) {
            Line line = line(asker);
            CompletableFuture<byte[]> same = line.waiting.get(nonce);
            if (same != null) {
                return same;
            }
            if (closed) {
                return CompletableFuture.failedFuture(new IOException("the agent stops"));
            }
            if (line.isFull()) {
                return CompletableFuture.failedFuture(
                        new RejectedException(Code.API_BUSY, line.share.waiting() + " challenges wait already"));
            }
            CompletableFuture<byte[]> answer = new CompletableFuture<>();
            line.waiting.put(nonce, answer);
            notifyAll();
            return answer;
        }
    }

    /** Challenges that wait or are being answered. */
    synchronized int waiting() {
        return lines.values().stream().mapToInt(line -> line.waiting.size()).sum();
    }

    private Line line(Asker asker) {
        Line line = lines.get(asker);
        if (line == null) {
            throw new IllegalStateException("no share of " + asker);
        }
        return line;
    }

    private void work() {
        try {
            while (true) {
                answer(next());
            }
        } catch (InterruptedException e) {
            // Closed.
        }
    }

    private void answer(Turn turn) {
        byte[] evidence;
        try {
            evidence = source.attest(turn.nonce);
        } catch (IOException | TeeException | RuntimeException | Error e) {
            // An error too: its caller hears of it, and the next challenge has its turn.
            forget(turn);
            turn.answer.completeExceptionally(e);
            return;
        }
        forget(turn);
        turn.answer.complete(evidence);
    }

    private synchronized void forget(Turn turn) {
        turn.line.underWay = null;
        turn.line.waiting.remove(turn.nonce);
    }

    /** Waits for the next challenge whose turn it is, and takes a token for it. */
    private synchronized Turn next() throws InterruptedException {
        while (true) {
            if (closed) {
                throw new InterruptedException();
            }
            long now = nanoTime.getAsLong();
            long soonest = Long.MAX_VALUE;
            Asker[] all = Asker.values();
            for (int i = 1; i <= all.length; i++) {
                Line line = line(all[(served.ordinal() + i) % all.length]);
                long in = line.readyIn(now);
                if (in == 0) {
                    return take(line);
                }
                soonest = Math.min(soonest, in);
            }
            if (soonest == Long.MAX_VALUE) {
                wait();
            } else {
                TimeUnit.NANOSECONDS.timedWait(this, soonest);
            }
        }
    }

    private Turn take(Line line) {
        served = line.asker;
        line.tokens--;
        Map.Entry<Binary, CompletableFuture<byte[]>> first =
                line.waiting.entrySet().iterator().next();
        line.underWay = first.getKey();
        return new Turn(line, first.getKey(), first.getValue());
    }

    @Override
    public void close() {
        List<CompletableFuture<byte[]>> left = new ArrayList<>();
        synchronized (this) {
            closed = true;
            lines.values().forEach(line -> left.addAll(line.waiting.values()));
            notifyAll();
        }
        worker.interrupt();
        left.forEach(answer -> answer.completeExceptionally(new IOException("the agent stops")));
    }
}
