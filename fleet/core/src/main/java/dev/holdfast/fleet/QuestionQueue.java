package dev.holdfast.fleet;

import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.function.LongSupplier;

/**
 * Whose question is answered next: the devices take turns by what their questions cost (deficit round robin, Shreedhar and Varghese
 * 1995), so that one that asks without end waits behind itself and nobody else. What waits is bounded for each device and for all
 * together; where all together are too many, the question that waited longest is dropped, whose device asks again. Thread-safe; calls
 * do not block.
 */
final class QuestionQueue {
    /**
     * How much of the service is for these devices.
     *
     * @param jobs questions that are answered at a time
     * @param jobsOfOne of these, for one device
     * @param waiting questions that wait
     * @param waitingOfOne of these, of one device
     * @param waitingBytes length of all that wait
     */
    record Share(int jobs, int jobsOfOne, int waiting, int waitingOfOne, long waitingBytes) {}

    /** What became of a question. */
    enum Taken {
        /** It waits, or may be answered at once: see {@link #next}. */
        WAITS,
        /** The device has too many; tell it to come back. */
        REFUSED,
        /** The same, but it was told within the last second. */
        DROPPED
    }

    /** Cost of a turn: a device whose questions cost more waits some turns for each. */
    static final int TURN = 8;

    private static final int SIGNATURE_COST = 8;
    private static final long REFUSAL_PAUSE_NANOS = Duration.ofSeconds(1).toNanos();

    private final Share share;
    private final LongSupplier nanos;
    private final Map<String, Line> lines = new HashMap<>();
    /** Lines in which something waits, in the order of their turns. */
    private final SequencedSet<Line> turns = new LinkedHashSet<>();
    /** All that waits, in the order in which it came. */
    private final SequencedSet<Question> waiting = new LinkedHashSet<>();

    private long waitingBytes;
    private int jobs;

    QuestionQueue(Share share, LongSupplier nanos) {
        this.share = share;
        this.nanos = nanos;
    }

    /** A question that was taken; equal to itself alone. */
    static final class Question {
        final Topics from;
        final Request ask;
        private final int bytes;
        private final Line line;

        private Question(Topics from, Request ask, int bytes, Line line) {
            this.from = from;
            this.ask = ask;
            this.bytes = bytes;
            this.line = line;
        }
    }

    /** One device. */
    private static final class Line {
        private final String device;
        private final Deque<Question> waiting = new ArrayDeque<>();
        private int jobs;
        private int credit;
        private Optional<Long> refused = Optional.empty();

        private Line(String device) {
            this.device = device;
        }
    }

    /** @param bytes how long the question was */
    synchronized Taken offer(Topics from, Request ask, int bytes) {
        Line line = lines.computeIfAbsent(from.device(), Line::new);
        if (line.waiting.size() >= share.waitingOfOne) {
            long now = nanos.getAsLong();
            if (line.refused.filter(last -> now - last < REFUSAL_PAUSE_NANOS).isPresent()) {
                return Taken.DROPPED;
            }
            line.refused = Optional.of(now);
            return Taken.REFUSED;
        }
        Question question = new Question(from, ask, bytes, line);
        if (line.waiting.isEmpty()) {
            turns.addLast(line);
        }
        line.waiting.addLast(question);
        waiting.addLast(question);
        waitingBytes += bytes;
        while (waiting.size() > share.waiting || waitingBytes > share.waitingBytes) {
            Question eldest = waiting.getFirst();
            leave(eldest);
            forgetIfIdle(eldest.line);
        }
        return Taken.WAITS;
    }

    /** The question to answer now, whose end is told to {@link #done}; empty where none waits, or all may do so. */
    synchronized Optional<Question> next() {
        if (jobs >= share.jobs) {
            return Optional.empty();
        }
        // Devices that have all their jobs are few, since the jobs are; each of the others is served after some turns.
        int full = 0;
        while (full < turns.size()) {
            Line line = turns.getFirst();
            if (line.jobs >= share.jobsOfOne) {
                turns.addLast(turns.removeFirst());
                full++;
                continue;
            }
            full = 0;
            Question first = line.waiting.getFirst();
            int cost = cost(first.ask.body());
            if (line.credit < cost) {
                line.credit += TURN;
                turns.addLast(turns.removeFirst());
                continue;
            }
            line.credit -= cost;
            line.jobs++;
            jobs++;
            leave(first);
            return Optional.of(first);
        }
        return Optional.empty();
    }

    synchronized void done(Question question) {
        question.line.jobs--;
        jobs--;
        forgetIfIdle(question.line);
    }

    private void leave(Question question) {
        Line line = question.line;
        waiting.remove(question);
        waitingBytes -= question.bytes;
        line.waiting.remove(question);
        if (line.waiting.isEmpty()) {
            turns.remove(line);
            // Nobody saves up for a burst.
            line.credit = 0;
        }
    }

    private void forgetIfIdle(Line line) {
        if (line.jobs == 0 && line.waiting.isEmpty()) {
            lines.remove(line.device, line);
        }
    }

    /** In parts of a document, {@value Reply#PART_BYTES} bytes each; a signature takes as long as reading some of them. */
    static int cost(Request.Body body) {
        return switch (body) {
            case Request.Metadata _, Request.Leaves _ -> 1;
            case Request.Blocks(var _, int blockBytes, var indices) ->
                1 + (int) ((long) indices.size() * blockBytes / Reply.PART_BYTES);
            case Request.Director _, Request.Enrol _, Request.Prove _ -> SIGNATURE_COST;
        };
    }

    /** For tests: questions that wait. */
    synchronized int waiting() {
        return waiting.size();
    }

    /** For tests: devices that are known of. */
    synchronized int devices() {
        return lines.size();
    }
}
