package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.ChallengeDesk;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches the challenges that local programs left with the inference process, and brings the evidence. The inference
 * process asks nobody: the agent comes and looks, with one request that waits. One thread, {@code agent-collector}.
 */
final class ChallengeCollector implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ChallengeCollector.class);
    /** Longer than the inference process lets the question wait. */
    private static final Duration WAIT = Duration.ofSeconds(40);

    private static final Duration QUICK = Duration.ofSeconds(10);
    private static final Duration PAUSE = Duration.ofSeconds(1);

    private final UnixHttp http;
    private final Path inferenceControl;
    private final ChallengeDesk desk;
    private final Thread thread;

    private ChallengeCollector(UnixHttp http, Path inferenceControl, ChallengeDesk desk) {
        this.http = http;
        this.inferenceControl = inferenceControl;
        this.desk = desk;
        this.thread = Thread.ofVirtual().name("agent-collector").unstarted(this::collect);
    }

    static ChallengeCollector start(UnixHttp http, Path inferenceControl, ChallengeDesk desk) {
        ChallengeCollector collector = new ChallengeCollector(http, inferenceControl, desk);
        collector.thread.start();
        return collector;
    }

    private void collect() {
        while (!Thread.currentThread().isInterrupted()) {
            try {
                UnixHttp.Reply reply = http.get(inferenceControl, "/control/v1/challenges", WAIT);
                if (reply.status() != 200) {
                    throw new IOException("status " + reply.status());
                }
                for (JsonNode nonce : reply.body().path("nonces")) {
                    answer(nonce.asText(""));
                }
            } catch (IOException e) {
                LOG.debug("no challenges from the inference process: {}", e.getMessage());
                try {
                    Thread.sleep(PAUSE);
                } catch (InterruptedException interrupted) {
                    return;
                }
            }
        }
    }

    private void answer(String hex) {
        if (!(Binary.fromHex(hex) instanceof Verdict.Accepted<Binary>(Binary nonce))) {
            deliver(hex, refusal(new Rejection(Code.WIRE_FIELD, "the nonce is no hexadecimal")));
            return;
        }
        var unused = desk.answer(nonce)
                .whenComplete((evidence, failure) -> Thread.ofVirtual()
                        .name("agent-evidence")
                        .start(() -> deliver(
                                hex,
                                failure == null
                                        ? Json.object()
                                                .put(
                                                        "evidence",
                                                        Binary.copyOf(evidence).hex())
                                        : refusal(reason(failure)))));
    }

    /** Local programs learn the code; what else went wrong is for the log. */
    private static Rejection reason(Throwable failure) {
        if (failure instanceof RejectedException rejected) {
            return rejected.rejection();
        }
        LOG.warn("challenge of a local program not answered: {}", failure.toString());
        return new Rejection(Code.TEE_UNAVAILABLE, "the root of trust did not answer");
    }

    private static ObjectNode refusal(Rejection why) {
        return Json.object().put("code", why.code().id()).put("detail", why.detail());
    }

    private void deliver(String nonce, ObjectNode answer) {
        try {
            http.post(inferenceControl, "/control/v1/evidence", answer.put("nonce", nonce), QUICK);
        } catch (IOException e) {
            LOG.debug("evidence not delivered: {}", e.getMessage());
        }
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
