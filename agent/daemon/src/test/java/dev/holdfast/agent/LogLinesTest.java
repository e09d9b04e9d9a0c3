package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.ChallengeQueue;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A log on a small disk: whoever sends messages without end writes no line with each of them. */
@Timeout(60)
class LogLinesTest {
    private static final Topics TOPICS = new Topics("fleet", "device-1");
    private static final byte[] JUNK = {7};

    private final PrintStream before = System.err;
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();

    @BeforeEach
    void listen() {
        System.setErr(new PrintStream(written, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void stop() {
        System.setErr(before);
    }

    private long lines(String text) {
        return written.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.contains(text))
                .count();
    }

    @Test
    void junkOnEachTopicWritesFewLines() {
        FleetClient fleet = new FleetClient(TOPICS);
        try (ChallengeQueue queue = new ChallengeQueue(nonce -> new byte[0], ChallengeQueue.Limits.DEFAULT)) {
            EvidenceResponder responder =
                    new EvidenceResponder(queue, new FleetSeals(TOPICS, List::of, Clock.systemUTC()), message -> {});
            for (int i = 0; i < 1000; i++) {
                fleet.received(JUNK);
                responder.received(JUNK);
            }
        }
        assertThat(lines("answer dropped")).isEqualTo(QuietLog.LINES);
        assertThat(lines("challenge dropped")).isEqualTo(QuietLog.LINES);
    }

    @Test
    void challengesThatCannotBeAnsweredWriteFewLines() {
        AtomicInteger asked = new AtomicInteger();
        ChallengeQueue.Source away = nonce -> {
            asked.incrementAndGet();
            throw new TeeException(Code.TEE_UNAVAILABLE, "away");
        };
        try (ChallengeQueue queue = new ChallengeQueue(away, ChallengeQueue.Limits.DEFAULT)) {
            EvidenceResponder responder =
                    new EvidenceResponder(queue, new FleetSeals(TOPICS, List::of, Clock.systemUTC()), message -> {});
            for (int i = 0; asked.get() < 2 * QuietLog.LINES; i++) {
                Binary nonce = Binary.copyOf(ByteBuffer.allocate(32).putInt(i).array());
                responder.received(new Challenge(nonce).encode());
                LockSupport.parkNanos(1_000_000);
            }
        }
        assertThat(lines("challenge not answered")).isEqualTo(QuietLog.LINES);
    }
}
