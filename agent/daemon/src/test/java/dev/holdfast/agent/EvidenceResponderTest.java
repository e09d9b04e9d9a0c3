package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.holdfast.attestation.ChallengeQueue;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.EvidenceAssembly;
import dev.holdfast.link.Topics;
import dev.holdfast.wire.Binary;
import java.nio.ByteBuffer;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Challenges over the link: long evidence in parts, a broker that does not take it, and a client that asks without end. */
class EvidenceResponderTest {
    private static final Topics DEVICE = new Topics("fleet", "device-1");
    private static final int LONG = 300_000;

    private final KeyPair director = pair();
    private final AtomicInteger quotes = new AtomicInteger();
    private final Queue<Evidence> published = new ConcurrentLinkedQueue<>();
    private final ChallengeQueue queue = new ChallengeQueue(this::quote, ChallengeQueue.Limits.DEFAULT);
    private volatile EvidenceResponder.Publisher broker = message -> {};
    private final EvidenceResponder responder = new EvidenceResponder(
            queue, new FleetSeals(DEVICE, () -> List.of(director.getPublic()), Clock.systemUTC()), message -> {
                broker.publish(message);
                published.add(decoded(message));
            });

    private static KeyPair pair() {
        try {
            return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        } catch (java.security.GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private static Evidence decoded(byte[] message) {
        try {
            return Evidence.decode(message).orThrow();
        } catch (dev.holdfast.wire.RejectedException e) {
            throw new AssertionError(e);
        }
    }

    /** As long as a log of 300 KB makes it. */
    private byte[] quote(Binary nonce) {
        quotes.incrementAndGet();
        LockSupport.parkNanos(Duration.ofMillis(5).toNanos());
        byte[] token = new byte[LONG];
        Arrays.fill(token, nonce.toArray()[0]);
        return token;
    }

    @AfterEach
    void close() {
        queue.close();
    }

    private static Binary nonce(int number) {
        return Binary.copyOf(ByteBuffer.allocate(32).putInt(number).array());
    }

    private byte[] sealed(Binary nonce) throws Exception {
        long now = Clock.systemUTC().instant().getEpochSecond();
        Signature signature = Signature.getInstance("Ed25519");
        signature.initSign(director.getPrivate());
        signature.update(Challenge.toBeSigned(DEVICE, nonce, now));
        return new Challenge(nonce, Optional.of(new Challenge.Seal(now, Binary.copyOf(signature.sign())))).encode();
    }

    private Optional<Binary> answer(Binary nonce) {
        EvidenceAssembly assembly = new EvidenceAssembly(nonce);
        Optional<Binary> whole = Optional.empty();
        for (Evidence part : published) {
            whole = assembly.take(part).or(() -> Optional.empty());
            if (whole.isPresent()) {
                return whole;
            }
        }
        return whole;
    }

    @Test
    void longEvidenceGoesInPartsThatEveryBrokerTakes() {
        responder.received(new Challenge(nonce(1)).encode());
        await().until(() -> answer(nonce(1)).isPresent());
        assertThat(answer(nonce(1)).orElseThrow().length()).isEqualTo(LONG);
        assertThat(published).hasSize(5).allMatch(part -> part.encode().length < 64 * 1024);
    }

    /** Evidence of a hundred challenges would be 30 MB, and of those that are at most 2 MiB, seven times as much. */
    @Test
    void aBrokerThatTakesNothingKeepsFewAnswersInMemory() throws Exception {
        CountDownLatch free = new CountDownLatch(1);
        AtomicInteger waiting = new AtomicInteger();
        broker = message -> {
            waiting.incrementAndGet();
            try {
                free.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
        for (int i = 0; i < 100; i++) {
            responder.received(new Challenge(nonce(i)).encode());
            LockSupport.parkNanos(Duration.ofMillis(10).toNanos());
        }
        await().until(() -> waiting.get() >= 10);
        assertThat(quotes).hasValueLessThanOrEqualTo(10);
        free.countDown();
        await().until(() -> published.size() == 10 * 5);
        responder.received(new Challenge(nonce(200)).encode());
        await().until(() -> answer(nonce(200)).isPresent());
    }

    /** Any client with access to the broker: the fleet's own questions are signed, and 4 of 4 are answered in time. */
    @Test
    void aFloodOnTheChallengeTopicHoldsUpNoQuestionOfTheFleet() throws Exception {
        CountDownLatch end = new CountDownLatch(1);
        AtomicInteger asked = new AtomicInteger();
        Thread flood = Thread.ofPlatform().start(() -> {
            while (end.getCount() > 0) {
                responder.received(new Challenge(nonce(asked.incrementAndGet())).encode());
                LockSupport.parkNanos(100_000);
            }
        });
        await().until(() -> asked.get() > 500);
        List<Binary> mine = new ArrayList<>();
        long begun = System.nanoTime();
        for (int i = 1; i <= 4; i++) {
            mine.add(nonce(-i));
            responder.received(sealed(nonce(-i)));
        }
        await().atMost(Duration.ofSeconds(5))
                .until(() -> mine.stream().allMatch(nonce -> answer(nonce).isPresent()));
        assertThat(System.nanoTime() - begun).isLessThan(Duration.ofSeconds(5).toNanos());
        end.countDown();
        flood.join();
    }
}
