package dev.holdfast.agent;

import dev.holdfast.attestation.Asker;
import dev.holdfast.attestation.ChallengeQueue;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.storage.DiskException;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers challenges of the fleet and of the control socket; all of them go through one {@link ChallengeQueue}. What comes over the
 * link holds one of a few places, of its kind, from its arrival until its evidence is published: a broker that takes evidence slowly
 * keeps no more of it in memory. Thread-safe.
 */
final class EvidenceResponder {
    /** Publishes one message; blocks until the broker took it. */
    @FunctionalInterface
    interface Publisher {
        void publish(byte[] message) throws IOException;

        /** Bytes of the longest packet that the broker takes. */
        default long maxPacketBytes() {
            return Long.MAX_VALUE;
        }
    }

    /** Topic, nonce and numbers around a part of evidence. */
    private static final int ENVELOPE_BYTES = 512;

    private static final Logger LOG = LoggerFactory.getLogger(EvidenceResponder.class);
    /** A few challenges wait before ours, and hardware takes seconds for each. */
    private static final Duration LIMIT = Duration.ofSeconds(30);
    /** Answers under way to each kind of asker on the link: in the queue, and on their way to the broker. */
    private static final int PLACES = 10;

    private final QuietLog quiet = new QuietLog(LOG);
    private final ChallengeQueue challenges;
    private final FleetSeals seals;
    private final Publisher publisher;
    private final Map<Asker, Set<Binary>> underWay =
            new EnumMap<>(Map.of(Asker.FLEET, new HashSet<>(), Asker.LINK, new HashSet<>()));

    private long fleetAnswers;

    EvidenceResponder(ChallengeQueue challenges, FleetSeals seals, Publisher publisher) {
        this.challenges = challenges;
        this.seals = seals;
        this.publisher = publisher;
    }

    /**
     * Takes a payload of the challenge topic; the evidence goes back over the link. Does not block.
     *
     * @return why it is no challenge, where it is none
     */
    Optional<Rejection> received(byte[] payload) {
        switch (Challenge.decode(payload)) {
            case Verdict.Rejected<Challenge>(Rejection why) -> {
                quiet.warn("challenge dropped: {}", why);
                return Optional.of(why);
            }
            case Verdict.Accepted<Challenge>(Challenge challenge) -> {
                answer(seals.admits(challenge) ? Asker.FLEET : Asker.LINK, challenge.nonce());
                return Optional.empty();
            }
        }
    }

    private void answer(Asker asker, Binary nonce) {
        if (!enter(asker, nonce)) {
            LOG.debug("challenge dropped: it is being answered, or {} others are", PLACES);
            return;
        }
        var unused = challenges.answer(asker, nonce).whenComplete((evidence, failure) -> {
            if (failure != null) {
                leave(asker, nonce);
                if (failure instanceof RejectedException rejected) {
                    LOG.debug("challenge dropped: {}", rejected.rejection());
                } else {
                    quiet.warn("challenge not answered: {}", failure.toString());
                }
                return;
            }
            // Publishing waits for the broker, which must not hold up the next challenge.
            Thread.ofVirtual().name("agent-evidence").start(() -> {
                try {
                    if (publish(nonce, Binary.copyOf(evidence)) && asker == Asker.FLEET) {
                        answered();
                    }
                } finally {
                    leave(asker, nonce);
                }
            });
        });
    }

    private synchronized boolean enter(Asker asker, Binary nonce) {
        Set<Binary> same = places(asker);
        return same.size() < PLACES && same.add(nonce);
    }

    private synchronized void leave(Asker asker, Binary nonce) {
        places(asker).remove(nonce);
    }

    private Set<Binary> places(Asker asker) {
        return underWay.getOrDefault(asker, Set.of());
    }

    private synchronized void answered() {
        fleetAnswers++;
        notifyAll();
    }

    /**
     * Whether the fleet asked, by a challenge that its Director signed, and got its answer, after {@code told} was run.
     *
     * @param patience how long to wait for that
     */
    synchronized boolean answersFleet(Runnable told, Duration patience) {
        long before = fleetAnswers;
        long end = System.nanoTime() + patience.toNanos();
        Thread.ofVirtual().name("agent-goodbye").start(told);
        try {
            for (long left = patience.toNanos(); fleetAnswers == before && left > 0; left = end - System.nanoTime()) {
                TimeUnit.NANOSECONDS.timedWait(this, left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return fleetAnswers != before;
    }

    /** Whether the broker took all of it. */
    private boolean publish(Binary nonce, Binary token) {
        try {
            int most = Math.clamp(publisher.maxPacketBytes() - ENVELOPE_BYTES, 1, Evidence.MAX_PART_BYTES);
            for (Evidence part : Evidence.parts(nonce, token, most)) {
                publisher.publish(part.encode());
            }
            return true;
        } catch (IOException e) {
            quiet.warn("challenge not answered: {}", Faults.reasonOf(e));
            return false;
        }
    }

    /** Evidence for a nonce of 8 to 64 bytes; waits for its turn. */
    Binary evidence(Binary nonce) throws IOException, TeeException, RejectedException {
        try {
            return Binary.copyOf(challenges.answer(Asker.CONTROL, nonce).get(LIMIT.toSeconds(), TimeUnit.SECONDS));
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RejectedException rejected -> throw rejected;
                case TeeException tee -> throw tee;
                case DiskException disk -> throw disk;
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
