package dev.holdfast.engine.architectures;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The sequences of one model: at most so many as answers may be made at a time, in use or idle. An idle one keeps what its last
 * owner had read, so that the owner's next prompt begins where it departs from an earlier one.
 *
 * <p>Only the owner's own sequences are ever looked at. Whether another user sent the same prompt before therefore shows neither
 * in an answer nor in how long it takes, and what an owner left is overwritten with zeros before another gets the sequence. That takes
 * the longer the more there is, so it is done ahead, by whoever gives a sequence back: as long as two are idle, one of them is empty.
 * Thread-safe.
 */
public final class SequencePool implements AutoCloseable {
    private record Idle(Sequence sequence, Optional<Long> owner) {}

    private final Supplier<Sequence> factory;
    private final int most;
    /** The longest idle comes first. */
    private final Deque<Idle> idle = new ArrayDeque<>();

    private final List<Sequence> made = new ArrayList<>();
    private boolean closed;

    /** A pool without a sequence; {@code factory} makes one when needed. */
    public SequencePool(Supplier<Sequence> factory, int most) {
        this.factory = factory;
        this.most = most;
    }

    /**
     * A sequence for a prompt, with as much of its beginning as the owner has had read before, and nothing else.
     *
     * <p>A multiple of {@link Transformer#ALIGNED} tokens only, and never all of the prompt: what is read then goes through the
     * same kernels as without the cache, and gives the same numbers.
     */
    public Sequence take(Optional<Long> owner, int[] prompt) {
        Sequence sequence;
        synchronized (this) {
            Idle best = owner.isPresent() ? longest(owner, prompt) : null;
            if (best != null) {
                idle.remove(best);
                best.sequence.keep(reusable(best.sequence, prompt));
                return best.sequence;
            }
            sequence = empty();
        }
        sequence.clear();
        return sequence;
    }

    /** One that nobody owns, else a new one, else the one that was idle longest. */
    private Sequence empty() {
        for (Iterator<Idle> each = idle.iterator(); each.hasNext(); ) {
            Idle one = each.next();
            if (one.owner.isEmpty()) {
                each.remove();
                return one.sequence;
            }
        }
        if (made.size() >= most && !idle.isEmpty()) {
            return idle.removeFirst().sequence;
        }
        Sequence sequence = factory.get();
        made.add(sequence);
        return sequence;
    }

    private static int reusable(Sequence sequence, int[] prompt) {
        int common = Math.min(sequence.commonPrefix(prompt), prompt.length - 1);
        return common - common % Transformer.ALIGNED;
    }

    private @Nullable Idle longest(Optional<Long> owner, int[] prompt) {
        Idle best = null;
        int longest = 0;
        for (Idle one : idle) {
            int tokens = one.owner.equals(owner) ? reusable(one.sequence, prompt) : 0;
            if (tokens > longest) {
                best = one;
                longest = tokens;
            }
        }
        return best;
    }

    /** Takes a sequence back, for the owner's next prompt; without an owner nothing is kept. */
    public void giveBack(Sequence sequence, Optional<Long> owner) {
        if (owner.isEmpty()) {
            sequence.clear();
        }
        Sequence spare;
        synchronized (this) {
            idle.addLast(new Idle(sequence, owner));
            spare = closed || made.size() < most || idle.size() < 2 || anyEmpty() ? null : idle.removeFirst().sequence;
        }
        if (spare != null) {
            spare.clear();
            synchronized (this) {
                idle.addFirst(new Idle(spare, Optional.empty()));
            }
        }
        forgetIfClosed();
    }

    private boolean anyEmpty() {
        return idle.stream().anyMatch(one -> one.owner.isEmpty());
    }

    /**
     * How much of the room for keys and values is used, 0 to 1: by answers in the making, and by what is kept for an owner's next prompt. Of
     * an answer in the making the newest tokens may be missing.
     */
    public synchronized double usage() {
        double used = made.stream()
                .mapToDouble(sequence -> (double) sequence.position() / sequence.capacity)
                .sum();
        return used / Math.max(most, made.size());
    }

    /** Forgets all idle sequences; those in use are forgotten as they come back. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        forgetIfClosed();
    }

    private void forgetIfClosed() {
        Deque<Idle> left;
        synchronized (this) {
            if (!closed) {
                return;
            }
            left = new ArrayDeque<>(idle);
            idle.clear();
        }
        left.forEach(one -> one.sequence.clear());
    }
}
