package dev.holdfast.agent;

import dev.holdfast.link.Challenge;
import dev.holdfast.link.Topics;
import dev.holdfast.wire.Binary;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.Signature;
import java.time.Clock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Tells challenges that the fleet's Director signed from those of anybody. A seal counts once and for {@link #WINDOW} around its
 * time, so that whoever recorded it gains nothing; where this device's clock is further off, no seal counts and all challenges are
 * anybody's. Checking is rationed, since anybody can send forged seals. Thread-safe.
 */
final class FleetSeals {
    private static final Duration WINDOW = Duration.ofMinutes(5);
    /** More than a verifier asks in the window; beyond that the oldest is forgotten. */
    private static final int MAX_SEEN = 4096;
    /** Some 5 % of one core of a small device for each 30. */
    private static final int CHECKS_PER_SECOND = 200;

    private final Topics device;
    private final Supplier<List<PublicKey>> keys;
    private final Clock clock;
    private final LongSupplier nanoTime;
    /** Nonces whose seal counted, with its time in seconds. */
    private final Map<Binary, Long> seen = new LinkedHashMap<>();

    private double checks = CHECKS_PER_SECOND;
    private long filledAtNanos;

    FleetSeals(Topics device, Supplier<List<PublicKey>> keys, Clock clock) {
        this(device, keys, clock, System::nanoTime);
    }

    FleetSeals(Topics device, Supplier<List<PublicKey>> keys, Clock clock, LongSupplier nanoTime) {
        this.device = device;
        this.keys = keys;
        this.clock = clock;
        this.nanoTime = nanoTime;
        this.filledAtNanos = nanoTime.getAsLong();
    }

    /** Whether the fleet asks, for the first time with this nonce. */
    synchronized boolean admits(Challenge challenge) {
        if (challenge.seal().isEmpty()) {
            return false;
        }
        Challenge.Seal seal = challenge.seal().get();
        long now = clock.instant().getEpochSecond();
        if (!isNear(seal.issuedSeconds(), now) || seen.containsKey(challenge.nonce()) || !takeCheck()) {
            return false;
        }
        byte[] said = Challenge.toBeSigned(device, challenge.nonce(), seal.issuedSeconds());
        byte[] signature = seal.signature().toArray();
        if (keys.get().stream().noneMatch(key -> signs(key, said, signature))) {
            return false;
        }
        seen.values().removeIf(issued -> !isNear(issued, now));
        if (seen.size() >= MAX_SEEN) {
            seen.remove(seen.keySet().iterator().next());
        }
        seen.put(challenge.nonce(), seal.issuedSeconds());
        return true;
    }

    private static boolean isNear(long issued, long now) {
        return issued >= now - WINDOW.toSeconds() && issued <= now + WINDOW.toSeconds();
    }

    private boolean takeCheck() {
        long now = nanoTime.getAsLong();
        checks = Math.min(CHECKS_PER_SECOND, checks + (now - filledAtNanos) * CHECKS_PER_SECOND / 1e9);
        filledAtNanos = now;
        if (checks < 1) {
            return false;
        }
        checks--;
        return true;
    }

    private static boolean signs(PublicKey key, byte[] said, byte[] signature) {
        try {
            Signature check = Signature.getInstance("Ed25519");
            check.initVerify(key);
            check.update(said);
            return check.verify(signature);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }
}
