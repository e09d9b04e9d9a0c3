package dev.holdfast.agent;

import dev.holdfast.attestation.ChallengeQueue;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers challenges of the fleet and of the control socket; all of them go through one {@link ChallengeQueue}. Thread-safe. */
final class EvidenceResponder {
    private static final Logger LOG = LoggerFactory.getLogger(EvidenceResponder.class);
    /** A few challenges wait before ours, and hardware takes seconds for each. */
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final ChallengeQueue challenges;
    private final FleetClient fleet;

    EvidenceResponder(ChallengeQueue challenges, FleetClient fleet) {
        this.challenges = challenges;
        this.fleet = fleet;
    }

    /** Takes a payload of the challenge topic; the evidence goes back over the link. Does not block. */
    void received(byte[] payload) {
        switch (Challenge.decode(payload)) {
            case Verdict.Rejected<Challenge> rejected -> LOG.warn("challenge dropped: {}", rejected.reason());
            case Verdict.Accepted<Challenge>(Challenge challenge) -> answer(challenge.nonce());
        }
    }

    private void answer(Binary nonce) {
        var unused = challenges.answer(nonce).whenComplete((evidence, failure) -> {
            if (failure instanceof RejectedException rejected) {
                LOG.debug("challenge dropped: {}", rejected.rejection());
            } else if (failure != null) {
                LOG.warn("challenge not answered: {}", failure.getMessage());
            } else {
                // Publishing waits for the broker, which must not hold up the next challenge.
                Thread.ofVirtual()
                        .name("agent-evidence")
                        .start(() -> publish(new Evidence(nonce, Binary.copyOf(evidence))));
            }
        });
    }

    private void publish(Evidence evidence) {
        try {
            fleet.publish(fleet.topics().evidence(), evidence.encode(), false);
        } catch (IOException e) {
            LOG.warn("challenge not answered: {}", e.getMessage());
        }
    }

    /** Evidence for a nonce of 8 to 64 bytes; waits for its turn. */
    Binary evidence(Binary nonce) throws IOException, TeeException, RejectedException {
        try {
            return Binary.copyOf(challenges.answer(nonce).get(LIMIT.toSeconds(), TimeUnit.SECONDS));
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RejectedException rejected -> throw rejected;
                case TeeException tee -> throw tee;
                case null, default -> throw new IOException(e.getCause());
            }
        } catch (TimeoutException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "no evidence within " + LIMIT.toSeconds() + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
