package dev.holdfast.engine.architectures;

import static java.util.Objects.requireNonNull;

import dev.holdfast.engine.kernels.MatMul;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Decodes for all answers of a model: the next tokens of those that are ready go through the layers together, so that the weights
 * are read once for all (continuous batching). Prompts are read by each answer's own thread in between.
 *
 * <p>There is no thread of its own. Whoever comes first leads: it waits a moment for those whom the last step makes it expect,
 * computes for all who came, and wakes them. An answer joins by coming and leaves by not coming again; one that is late, because its
 * client reads slowly, holds the others up for a quarter of one step at most, and is then no longer expected. Thread-safe; a step
 * allocates nothing.
 */
public final class DecodeBatcher {
    private static final int MAX = MatMul.MAX_TOGETHER;
    /** What a step may be late for those who are expected, as a part of the last one. */
    private static final int PATIENCE = 4;

    private final Transformer decoder;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition change = lock.newCondition();
    private final Deque<Member> waiting = new ArrayDeque<>(MAX);
    private final AtomicInteger members = new AtomicInteger();
    private boolean led;
    private int expected = 1;
    private long lastNanos;
    private volatile IntConsumer watcher = answers -> {};

    // The leader's.
    private final @Nullable Member[] group = new Member[MAX];
    private final Sequence[] sequences = new Sequence[MAX];
    private final int[] tokens = new int[MAX];
    private final int[] positions = new int[MAX];

    public DecodeBatcher(Transformer decoder) {
        this.decoder = decoder;
    }

    /** From now on {@code watcher} hears of each step how many answers it was for, on the thread that computes; it must not wait. */
    public void watch(IntConsumer watcher) {
        this.watcher = watcher;
    }

    public Transformer decoder() {
        return decoder;
    }

    /** Answers that wait for the next step. */
    public int waiting() {
        lock.lock();
        try {
            return waiting.size();
        } finally {
            lock.unlock();
        }
    }

    /** A place for one answer, whose thread alone uses it, until it is closed. */
    public Member member(Sequence sequence) {
        return new Member(sequence);
    }

    /** One answer among those that are decoded. */
    public final class Member implements AutoCloseable {
        private final Sequence sequence;
        private int token;
        private boolean done;
        private @Nullable Throwable failure;

        private Member(Sequence sequence) {
            this.sequence = sequence;
            members.incrementAndGet();
        }

        /** Whether no other answer is decoded now. */
        public boolean alone() {
            return members.get() == 1;
        }

        @Override
        public void close() {
            members.decrementAndGet();
        }

        public Sequence sequence() {
            return sequence;
        }

        /** Reads a token, together with others, and gives the sequence's logits. */
        public float[] read(int next) {
            if (sequence.room() < 1) {
                throw new IllegalArgumentException("no room for another token");
            }
            token = next;
            done = false;
            failure = null;
            await(this);
            switch (failure) {
                case null -> {}
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable e -> throw new IllegalStateException(e);
            }
            return sequence.logits;
        }
    }

    private void await(Member member) {
        lock.lock();
        try {
            waiting.add(member);
            change.signalAll();
            while (led && !member.done) {
                change.awaitUninterruptibly();
            }
            if (member.done) {
                return;
            }
            led = true;
            gather();
        } finally {
            lock.unlock();
        }
        // From here to the end this thread leads, and only it.
        int count = 0;
        try {
            count = take(member);
            compute(count);
        } finally {
            release(count);
        }
    }

    private void gather() {
        long left = lastNanos / PATIENCE;
        try {
            while (left > 0 && waiting.size() < Math.min(expected, MAX)) {
                left = change.awaitNanos(left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The leader first, then the others as they came. */
    private int take(Member leader) {
        lock.lock();
        try {
            waiting.remove(leader);
            int count = 0;
            for (Member each = leader; each != null; each = count < MAX ? waiting.poll() : null) {
                group[count] = each;
                sequences[count] = each.sequence;
                tokens[count++] = each.token;
            }
            return count;
        } finally {
            lock.unlock();
        }
    }

    private void compute(int count) {
        long started = System.nanoTime();
        for (int i = 0; i < count; i++) {
            positions[i] = sequences[i].position();
        }
        try {
            decoder.step(sequences, tokens, count);
        } catch (RuntimeException | Error e) {
            // Each on its own, so that one answer's fault does not end another's. An InternalError is how the JVM tells
            // that a mapped page cannot be read; an answer that went on after it would be made of numbers that nobody
            // computed.
            for (int i = 0; i < count; i++) {
                alone(i);
            }
        }
        lastNanos = System.nanoTime() - started;
        watcher.accept(count);
    }

    /** From where the sequence was before: the shared step may have failed when it had read this one's token already. */
    private void alone(int index) {
        sequences[index].keep(positions[index]);
        try {
            decoder.step(sequences[index].alone, new int[] {tokens[index]}, 1);
        } catch (RuntimeException | Error e) {
            requireNonNull(group[index]).failure = e;
        }
    }

    private void release(int count) {
        lock.lock();
        try {
            for (int i = 0; i < count; i++) {
                requireNonNull(group[i]).done = true;
                group[i] = null;
            }
            expected = count + waiting.size();
            led = false;
            change.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
