package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.link.Challenge;
import dev.holdfast.link.Topics;
import dev.holdfast.wire.Binary;
import java.nio.ByteBuffer;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Signature;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Which challenges the fleet signed, when anybody may publish on the topic. */
class FleetSealsTest {
    private static final Topics DEVICE = new Topics("fleet", "device-1");
    private static final Instant START = Instant.ofEpochSecond(1_800_000_000);

    private final KeyPair director = pair();
    private final AtomicLong nanos = new AtomicLong();
    private Instant now = START;
    private final FleetSeals seals = new FleetSeals(DEVICE, () -> List.of(director.getPublic()), clock(), nanos::get);

    private Clock clock() {
        return new Clock() {
            @Override
            public Instant instant() {
                return now;
            }

            @Override
            public ZoneId getZone() {
                return ZoneOffset.UTC;
            }

            @Override
            public Clock withZone(ZoneId zone) {
                return this;
            }
        };
    }

    private static KeyPair pair() {
        try {
            return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        } catch (java.security.GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private static Binary nonce(int number) {
        return Binary.copyOf(ByteBuffer.allocate(32).putInt(number).array());
    }

    private static Challenge sealed(PrivateKey key, Topics device, int nonce, Instant issued) throws Exception {
        Signature signature = Signature.getInstance("Ed25519");
        signature.initSign(key);
        signature.update(Challenge.toBeSigned(device, nonce(nonce), issued.getEpochSecond()));
        return new Challenge(
                nonce(nonce),
                Optional.of(new Challenge.Seal(issued.getEpochSecond(), Binary.copyOf(signature.sign()))));
    }

    private Challenge sealed(int nonce) throws Exception {
        return sealed(director.getPrivate(), DEVICE, nonce, now);
    }

    @Test
    void aSealOfTheDirectorCountsOnce() throws Exception {
        Challenge asked = sealed(1);
        assertThat(seals.admits(asked)).isTrue();
        assertThat(seals.admits(asked)).as("a replay").isFalse();
        assertThat(seals.admits(sealed(2))).isTrue();
    }

    @Test
    void anythingElseIsAnybodys() throws Exception {
        Challenge good = sealed(1);
        Challenge.Seal seal = good.seal().orElseThrow();
        byte[] bent = seal.signature().toArray();
        bent[3] ^= 1;
        for (Challenge other : List.of(
                new Challenge(nonce(1)),
                sealed(pair().getPrivate(), DEVICE, 1, now),
                sealed(director.getPrivate(), new Topics("fleet", "device-2"), 1, now),
                sealed(director.getPrivate(), DEVICE, 1, now.minus(Duration.ofMinutes(6))),
                sealed(director.getPrivate(), DEVICE, 1, now.plus(Duration.ofMinutes(6))),
                new Challenge(nonce(2), good.seal()),
                new Challenge(nonce(1), Optional.of(new Challenge.Seal(seal.issuedSeconds() + 1, seal.signature()))),
                new Challenge(nonce(1), Optional.of(new Challenge.Seal(Long.MAX_VALUE, seal.signature()))),
                new Challenge(nonce(1), Optional.of(new Challenge.Seal(seal.issuedSeconds(), Binary.copyOf(bent)))))) {
            assertThat(seals.admits(other)).as(other.toString()).isFalse();
        }
        assertThat(seals.admits(good)).isTrue();
    }

    /** What a device forgot of an old seal is not needed: its time is over. */
    @Test
    void aReplayAfterTheWindowDoesNotCountEither() throws Exception {
        Challenge old = sealed(1);
        assertThat(seals.admits(old)).isTrue();
        now = now.plus(Duration.ofMinutes(11));
        assertThat(seals.admits(sealed(2))).isTrue();
        assertThat(seals.admits(old)).isFalse();
    }

    @Test
    void forgedSealsCostABoundedNumberOfChecks() throws Exception {
        PrivateKey forger = pair().getPrivate();
        for (int i = 0; i < 1_000; i++) {
            seals.admits(sealed(forger, DEVICE, 1_000 + i, now));
        }
        assertThat(seals.admits(sealed(1)))
                .as("the ration of checks is used up")
                .isFalse();
        nanos.addAndGet(Duration.ofMillis(10).toNanos());
        assertThat(seals.admits(sealed(1))).isTrue();
    }
}
