package dev.holdfast.engine.architectures;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The sequences of one model: at most so many as answers may be made at a time, in use or idle. An idle one keeps what its last
 * owner had read, so that the owner's next prompt begins where it departs from an earlier one.
 *
 * <p>Only the owner's own sequences are ever looked at. Whether another user sent the same prompt before therefore shows neither
 * in an answer nor in how long it takes, and what an owner left is overwritten with zeros before another gets the sequence.
 * Thread-safe.
 */
public final class SequencePool implements AutoCloseable {
    private record Idle(Sequence sequence, Optional<Long> owner) {}

    private final Supplier<Sequence> factory;
    private final int most;
    /** The longest idle comes first. */
    private final Deque<Idle> idle = new ArrayDeque<>();

    private int made;
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
        if (made >= most && !idle.isEmpty()) {
            return idle.removeFirst().sequence;
        }
        Sequence sequence = factory.get();
        made++;
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
        synchronized (this) {
            if (!closed) {
                idle.addLast(new Idle(sequence, owner));
                return;
            }
        }
        sequence.clear();
    }

    /** Forgets all idle sequences; those in use are forgotten as they come back. */
    @Override
    public void close() {
        Deque<Idle> left;
        synchronized (this) {
            closed = true;
            left = new ArrayDeque<>(idle);
            idle.clear();
        }
        left.forEach(one -> one.sequence.clear());
    }
}
