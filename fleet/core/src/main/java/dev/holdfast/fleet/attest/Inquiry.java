package dev.holdfast.fleet.attest;

import dev.holdfast.attestation.verify.DeviceTime;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetKeys;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.Topics;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * One question to a device, with a nonce of its own, and what comes as its answer. Anybody who reaches the topic may send some; the
 * device's own word is waited for. Evidence for other nonces, of an earlier question for instance, is nobody's answer here. Thread-safe.
 */
public final class Inquiry {
    private static final int NONCE_BYTES = 32;

    private final Topics topics;
    private final EnrolledDevice device;
    private final DeviceTime seen;
    private final Challenge challenge;
    private final long askedNanos = System.nanoTime();
    private final EvidenceCandidates candidates;
    private final CompletableFuture<byte[]> own = new CompletableFuture<>();
    private Optional<byte[]> another = Optional.empty();
    private Duration took = Duration.ZERO;

    private Inquiry(Topics topics, EnrolledDevice device, Challenge challenge) {
        this.topics = topics;
        this.device = device;
        // Another verifier may hear from the device between our question and its answer.
        this.seen = device.memory().newest();
        this.challenge = challenge;
        this.candidates = new EvidenceCandidates(challenge.nonce(), new SecureRandom());
    }

    /**
     * Begins one; {@code ATT-NOT-ENROLLED} where nobody knows the device. It is signed where the Director's key is in the fleet's folder,
     * so that the device knows that its fleet asks.
     *
     * @param fleet the fleet's name
     */
    public static Inquiry of(DeviceRecords records, String fleet, String device, Clock clock)
            throws IOException, RejectedException {
        byte[] random = new byte[NONCE_BYTES];
        new SecureRandom().nextBytes(random);
        Binary nonce = Binary.copyOf(random);
        Topics topics = new Topics(fleet, device);
        long now = clock.instant().getEpochSecond();
        Optional<SigningKey> director = FleetKeys.DIRECTOR
                .loadPresent(records.directory().keys())
                .stream()
                .filter(key -> key.kind() == KeyKind.ED25519)
                .findFirst();
        return new Inquiry(
                topics,
                records.read(device),
                new Challenge(
                        nonce,
                        director.map(key -> new Challenge.Seal(
                                now, Binary.copyOf(key.sign(Challenge.toBeSigned(topics, nonce, now)))))));
    }

    public Topics topics() {
        return topics;
    }

    public Challenge challenge() {
        return challenge;
    }

    /** The device's own word. */
    public CompletableFuture<byte[]> own() {
        return own;
    }

    /** What somebody else signed, or the device with other keys than it is enrolled with, where that came. */
    public synchronized Optional<byte[]> another() {
        return another;
    }

    /** Takes a part. Does not block. */
    public synchronized void take(Evidence part) {
        if (own.isDone()) {
            return;
        }
        for (byte[] whole : candidates.take(part)) {
            took = Duration.ofNanos(System.nanoTime() - askedNanos);
            if (EvidenceVerifier.isFrom(device, whole, challenge.nonce())) {
                own.complete(whole);
                return;
            }
            another = Optional.of(whole);
        }
    }

    /** Bytes of answers that are not whole yet. */
    synchronized long openBytes() {
        return candidates.bytes();
    }

    /** Forgets what is not whole yet. */
    synchronized void forgetParts() {
        candidates.clear();
    }

    /** What the verifier knows of it once the answer came. */
    synchronized EvidenceVerifier.Question question() {
        return new EvidenceVerifier.Question(
                challenge.nonce(), Optional.of(took), new EvidenceVerifier.Asked.After(seen));
    }
}
