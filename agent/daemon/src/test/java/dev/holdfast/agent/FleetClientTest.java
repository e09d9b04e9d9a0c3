package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.link.LinkStatus;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whoever answers a device's questions may lie about everything; each call ends in bounded time. */
@Timeout(60)
class FleetClientTest {
    private static final Duration ANSWER = Duration.ofMillis(200);
    private static final int MAX = 1 << 20;

    private final FleetClient client = new FleetClient(new Topics("fleet", "device-1"), ANSWER);
    private final AtomicInteger asked = new AtomicInteger();

    private interface Answerer {
        void answer(Request request) throws InterruptedException;
    }

    /** How often the broker was reached; 0 while it is away. */
    private final AtomicInteger connections = new AtomicInteger(1);

    /** A link whose other end answers as {@code answerer} does. */
    private void use(Answerer answerer) {
        use(client, answerer);
    }

    private void use(FleetClient asking, Answerer answerer) {
        asking.use(new MqttLink() {
            @Override
            public void publish(String topic, byte[] payload, boolean retained) {
                asked.incrementAndGet();
                try {
                    answerer.answer(Request.decode(payload).orThrow());
                } catch (RejectedException | InterruptedException e) {
                    throw new AssertionError(e);
                }
            }

            @Override
            public LinkStatus status() {
                int reached = connections.get();
                return new LinkStatus(reached > 0, Optional.empty(), Optional.empty(), reached, 0, Optional.empty());
            }

            @Override
            public void close() {}
        });
    }

    private void documents(Function<Integer, Reply.Body> answers) {
        use(request -> {
            if (request.body() instanceof Request.Metadata(String _, long offset)) {
                client.received(new Reply(request.id(), answers.apply((int) offset)).encode());
            }
        });
    }

    private static Binary bytes(int count) {
        byte[] bytes = new byte[count];
        Arrays.fill(bytes, (byte) 7);
        return Binary.copyOf(bytes);
    }

    @Test
    void aDocumentOfSeveralPartsIsJoined() throws Exception {
        int total = 2 * Reply.PART_BYTES + 5;
        documents(at -> new Reply.Part(total, at, bytes(Math.min(Reply.PART_BYTES, total - at))));
        assertThat(client.fetch("targets.json", MAX).orElseThrow())
                .isEqualTo(bytes(total).toArray());
        documents(at -> new Reply.Part(0, 0, Binary.copyOf(new byte[0])));
        assertThat(client.fetch("targets.json", MAX).orElseThrow()).isEmpty();
        documents(at -> new Reply.Absent());
        assertThat(client.fetch("targets.json", MAX)).isEmpty();
    }

    @Test
    void aPartThatIsNotFullEndsTheDocument() {
        documents(at -> new Reply.Part(MAX, at, bytes(1)));
        assertThatThrownBy(() -> client.fetch("targets.json", MAX)).hasMessageContaining("do not fit");
        assertThat(asked).hasValue(1);
    }

    @Test
    void aDocumentThatBecomesLongerOnTheWayEnds() {
        documents(at -> new Reply.Part(at + Reply.PART_BYTES + 1L, at, bytes(Reply.PART_BYTES)));
        assertThatThrownBy(() -> client.fetch("targets.json", MAX)).hasMessageContaining("do not fit");
        assertThat(asked).hasValue(2);
    }

    /** Each part in time, all of them not. */
    @Test
    void aDocumentThatTakesTooLongEnds() {
        List<Thread> late = new ArrayList<>();
        use(request -> {
            if (request.body() instanceof Request.Metadata(String _, long offset)) {
                Reply answer = new Reply(request.id(), new Reply.Part(100L * MAX, offset, bytes(Reply.PART_BYTES)));
                late.add(after(ANSWER.multipliedBy(2).dividedBy(3), () -> client.received(answer.encode())));
            }
        });
        long begun = System.nanoTime();
        assertThatThrownBy(() -> client.fetch("targets.json", 100 * MAX)).isInstanceOf(SourceException.class);
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(ANSWER.multipliedBy(14));
    }

    private static Thread after(Duration pause, Runnable work) {
        return Thread.ofVirtual().start(() -> {
            try {
                Thread.sleep(pause);
                work.run();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    @Test
    void theFleetSaysThatItDoesNotKnowTheDevice() {
        use(request -> client.received(
                new Reply(request.id(), new Reply.Refused(Code.ATT_NOT_ENROLLED.id(), "enrol first")).encode()));
        assertThatThrownBy(() -> client.directorOrder(new byte[32]))
                .isInstanceOfSatisfying(
                        SourceException.class,
                        e -> assertThat(SourceException.reasonOf(e).code()).isEqualTo(Code.ATT_NOT_ENROLLED));
    }

    /** The service's answer would go to a session that is gone, whether or not there is another connection by now. */
    @ParameterizedTest
    @ValueSource(ints = {0, 2})
    void aQuestionEndsWithTheConnectionThatItWasAskedOver(int later) {
        FleetClient patient = new FleetClient(new Topics("fleet", "device-1"), Duration.ofSeconds(30));
        use(patient, request -> connections.set(later));
        long begun = System.nanoTime();
        assertThatThrownBy(() -> patient.fetch("targets.json", MAX))
                .isInstanceOfSatisfying(
                        SourceException.class,
                        e -> assertThat(SourceException.reasonOf(e).code()).isEqualTo(Code.LNK_DOWN));
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(5));
    }

    /** What came before the connection went is an answer. */
    @Test
    void anAnswerThatCameBeforeTheConnectionWentCounts() throws Exception {
        use(request -> {
            client.received(new Reply(request.id(), new Reply.Absent()).encode());
            connections.set(0);
        });
        assertThat(client.fetch("targets.json", MAX)).isEmpty();
    }

    /** One block comes again and again, each time within the time of an answer. */
    @Test
    void blocksThatComeAgainAreNotWaitedForLonger() throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        use(request -> {
            byte[] block = new Reply(request.id(), new Reply.Block(0, bytes(1))).encode();
            Thread.ofVirtual().start(() -> {
                try {
                    do {
                        client.received(block);
                    } while (!over.await(ANSWER.toMillis() / 2, TimeUnit.MILLISECONDS));
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
        });
        List<Integer> kept = new ArrayList<>();
        long begun = System.nanoTime();
        assertThatThrownBy(() -> client.fetch(
                        Sha256.of(new byte[0]),
                        new BlockSource.Cut(2, 1),
                        List.of(0, 1),
                        (index, data) -> kept.add(index)))
                .isInstanceOf(IOException.class);
        over.countDown();
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(ANSWER.multipliedBy(4));
        assertThat(kept).contains(0);
    }
}
