package dev.holdfast.agent;

import dev.holdfast.attestation.Asker;
import dev.holdfast.attestation.ChallengeQueue;
import dev.holdfast.control.ChallengeReply;
import dev.holdfast.control.Challenges;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches the challenges that local programs left with the inference process, and brings the evidence. The inference
 * process asks nobody: the agent comes and looks, with one request that waits. One thread, {@code agent-collector}.
 */
final class ChallengeCollector implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ChallengeCollector.class);
    private static final Duration PAUSE = Duration.ofSeconds(1);
    /** At least this long between two looks: a process that answers at once, again and again, does not keep the agent busy. */
    private static final Duration LEAST = Duration.ofMillis(100);

    private final QuietLog quiet = new QuietLog(LOG);
    private final InferenceClient inference;
    private final ChallengeQueue queue;
    /** Who does not take the evidence that is brought holds up no more than these, each of several MiB where the log is long. */
    private final Semaphore deliveries = new Semaphore(Challenges.MAX_HANDED_OVER);

    private final Thread thread;

    private ChallengeCollector(InferenceClient inference, ChallengeQueue queue) {
        this.inference = inference;
        this.queue = queue;
        this.thread = Thread.ofPlatform().name("agent-collector").daemon().unstarted(this::collect);
    }

    static ChallengeCollector start(InferenceClient inference, ChallengeQueue queue) {
        ChallengeCollector collector = new ChallengeCollector(inference, queue);
        collector.thread.start();
        return collector;
    }

    private void collect() {
        while (!Thread.currentThread().isInterrupted()) {
            Duration pause = LEAST;
            try {
                inference.challenges().forEach(this::answer);
            } catch (IOException e) {
                LOG.debug("no challenges from the inference process: {}", e.getMessage());
                pause = PAUSE;
            } catch (RuntimeException e) {
                // Whatever it says, its next word is heard.
                quiet.warn("the challenges of the inference process could not be taken", e);
                pause = PAUSE;
            }
            try {
                Thread.sleep(pause);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private void answer(Binary nonce) {
        if (!deliveries.tryAcquire()) {
            LOG.debug("a challenge of a local program is dropped: {} wait for delivery", Challenges.MAX_HANDED_OVER);
            return;
        }
        var unused = queue.answer(Asker.PROGRAMS, nonce)
                .whenComplete((evidence, failure) -> Thread.ofVirtual()
                        .name("agent-evidence")
                        .start(() -> deliver(new ChallengeReply(
                                nonce,
                                failure == null
                                        ? Verdict.accepted(Binary.copyOf(evidence))
                                        : new Verdict.Rejected<>(reason(failure))))));
    }

    /** Local programs learn the code; what else went wrong is for the log. */
    private Rejection reason(Throwable failure) {
        if (failure instanceof RejectedException rejected) {
            return rejected.rejection();
        }
        quiet.warn("challenge of a local program not answered: {}", failure.toString());
        return switch (failure) {
            case TeeException tee -> new Rejection(tee.code(), "the root of trust made no evidence");
            case IOException disk -> new Rejection(Code.INS_STORAGE, "the event log cannot be read or written");
            default -> new Rejection(Code.API_INTERNAL, "no evidence could be made");
        };
    }

    private void deliver(ChallengeReply reply) {
        try {
            inference.deliver(reply);
        } catch (IOException e) {
            LOG.debug("evidence not delivered: {}", e.getMessage());
        } finally {
            deliveries.release();
        }
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
