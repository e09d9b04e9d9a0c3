package dev.holdfast.agent;

import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.trust.client.RetryLaterException;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The questions that are in flight. Answers are matched by the question's random id; what was not asked is dropped. None is asked while
 * the service wants to be left alone. Thread-safe.
 */
final class Questions {
    private static final Logger LOG = LoggerFactory.getLogger(Questions.class);
    /** Codes of a refusal that mean the same here; any other one is of the service. */
    private static final List<Code> TOLD = List.of(Code.ATT_NOT_ENROLLED, Code.ATT_PENDING, Code.LNK_LIMIT);
    /** How soon a question ends whose answer cannot come any more. */
    private static final long LOST_NANOS = Duration.ofMillis(250).toNanos();

    /** The way to the service. */
    @FunctionalInterface
    interface Line {
        void send(byte[] question) throws IOException;
    }

    private final QuietLog quiet = new QuietLog(LOG);
    private final Line line;
    private final LongSupplier connection;
    private final SecureRandom random = new SecureRandom();
    private final Map<Binary, BlockingQueue<Reply.Body>> waiting = new ConcurrentHashMap<>();
    private final AtomicLong quietUntil = new AtomicLong();

    /** @param connection which connection it is that the line goes over; -1 where there is none */
    Questions(Line line, LongSupplier connection) {
        this.line = line;
        this.connection = connection;
    }

    Question ask(Request.Body body) throws IOException {
        return new Question(body);
    }

    /**
     * Takes a payload of the answer topic.
     *
     * @return why it is of no use, where it is not
     */
    Optional<Rejection> received(byte[] payload) {
        switch (Reply.decode(payload)) {
            case Verdict.Rejected<Reply>(Rejection why) -> {
                quiet.warn("answer dropped: {}", why);
                return Optional.of(why);
            }
            case Verdict.Accepted<Reply>(Reply answer) -> {
                BlockingQueue<Reply.Body> queue = waiting.get(answer.id());
                if (queue == null || !queue.offer(answer.body())) {
                    Rejection why = new Rejection(Code.LNK_UNASKED, "answer dropped");
                    LOG.debug("{}", why);
                    return Optional.of(why);
                }
                return Optional.empty();
            }
        }
    }

    /** How long the service wants to be left alone; zero where it does not. */
    Duration quiet() {
        long left = quietUntil.get() - System.nanoTime();
        return quietUntil.get() == 0 || left <= 0 ? Duration.ZERO : Duration.ofNanos(left);
    }

    private RetryLaterException silence(Rejection refusal, Duration asked) {
        RetryLaterException later = new RetryLaterException(refusal.code(), refusal.detail(), asked);
        quietUntil.set(System.nanoTime() + later.after().toNanos());
        return later;
    }

    static final class NoAnswerException extends SourceException {
        static final long serialVersionUID = 1;

        NoAnswerException() {
            super(Code.LNK_TIMEOUT, "the fleet service did not answer");
        }
    }

    /** One question in flight. It ends with the connection that it was asked over: the answer goes to nobody then. */
    final class Question implements AutoCloseable {
        private final Binary id;
        private final long askedOver;
        private final BlockingQueue<Reply.Body> answers = new LinkedBlockingQueue<>(4 * Request.MAX_BLOCKS);

        private Question(Request.Body body) throws IOException {
            Duration quiet = quiet();
            if (!quiet.isZero()) {
                throw new RetryLaterException(Code.LNK_REFUSED, "the service asked for a pause", quiet);
            }
            byte[] fresh = new byte[Request.ID_BYTES];
            random.nextBytes(fresh);
            id = Binary.copyOf(fresh);
            waiting.put(id, answers);
            askedOver = connection.getAsLong();
            try {
                line.send(new Request(id, body).encode());
            } catch (IOException e) {
                waiting.remove(id);
                throw e;
            }
        }

        Reply.Body next(long nanos) throws IOException {
            return within(nanos).orElseThrow(NoAnswerException::new);
        }

        /**
         * The next answer; empty where none comes in time.
         *
         * @throws SourceException {@code LNK-DOWN} where the connection was lost meanwhile
         */
        Optional<Reply.Body> within(long nanos) throws IOException {
            long end = System.nanoTime() + nanos;
            try {
                while (true) {
                    boolean lost = connection.getAsLong() != askedOver;
                    long left = end - System.nanoTime();
                    Reply.Body answer = answers.poll(lost ? 0 : Math.min(left, LOST_NANOS), TimeUnit.NANOSECONDS);
                    if (answer instanceof Reply.Refused refused) {
                        Rejection why = refused.rejection(TOLD);
                        throw refused.retryAfterSeconds() > 0
                                ? silence(why, Duration.ofSeconds(refused.retryAfterSeconds()))
                                : new SourceException(why.code(), why.detail());
                    }
                    if (answer != null || left <= 0) {
                        return Optional.ofNullable(answer);
                    }
                    if (lost) {
                        throw new SourceException(Code.LNK_DOWN, "the connection was lost before the answer came");
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new SourceException(Code.LNK_DOWN, "the wait for an answer was called off");
            }
        }

        @Override
        public void close() {
            waiting.remove(id);
        }
    }
}
