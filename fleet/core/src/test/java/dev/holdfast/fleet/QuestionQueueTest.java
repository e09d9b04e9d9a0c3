package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.fleet.QuestionQueue.Question;
import dev.holdfast.fleet.QuestionQueue.Share;
import dev.holdfast.fleet.QuestionQueue.Taken;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class QuestionQueueTest {
    private static final Share SHARE = new Share(8, 2, 64, 4, 10_000);
    private static final Request.Body CHEAP = new Request.Metadata("timestamp.json", 0);
    private static final Request.Body DEAR = new Request.Blocks(
            Sha256.of(new byte[1]), Request.MAX_BLOCK_BYTES, Collections.nCopies(Request.MAX_BLOCKS, 0));

    private long now;
    private long ids;
    private final QuestionQueue queue = new QuestionQueue(SHARE, () -> now);

    private Taken ask(String device, Request.Body body, int bytes) {
        Binary id = Binary.copyOf(
                ByteBuffer.allocate(Request.ID_BYTES).putLong(ids++).array());
        return queue.offer(new Topics("test", device), new Request(id, body), bytes);
    }

    private Taken ask(String device) {
        return ask(device, CHEAP, 100);
    }

    private String served() {
        Optional<Question> next = queue.next();
        next.ifPresent(queue::done);
        return next.map(question -> question.from.device()).orElse("");
    }

    @Test
    void oneThatAsksWithoutEndWaitsBehindItselfAlone() {
        QuestionQueue patient = new QuestionQueue(new Share(8, 2, 1000, 500, 1_000_000), () -> now);
        Request ask = new Request(Binary.copyOf(new byte[Request.ID_BYTES]), CHEAP);
        for (int i = 0; i < 10_000; i++) {
            patient.offer(new Topics("test", "loud"), ask, 100);
        }
        patient.offer(new Topics("test", "quiet"), ask, 100);
        int before = 0;
        for (Question next = patient.next().orElseThrow();
                !next.from.device().equals("quiet");
                next = patient.next().orElseThrow()) {
            patient.done(next);
            before++;
        }
        assertThat(before).as("a turn of the other, not all that it asked").isLessThanOrEqualTo(QuestionQueue.TURN);
    }

    @Test
    void devicesTakeTurnsByWhatTheirQuestionsCost() {
        List<String> answered = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            ask("blocks", DEAR, 100);
            ask("metadata");
            answered.add(served());
        }
        assertThat(QuestionQueue.cost(DEAR)).isEqualTo(25);
        int blocks = Collections.frequency(answered, "blocks");
        assertThat(Collections.frequency(answered, "metadata"))
                .as("one window of blocks costs as much as 25 small questions")
                .isBetween(20 * blocks, 30 * blocks);
    }

    @Test
    void oneDeviceHasAShareOfTheJobsAndNoMore() {
        for (int i = 0; i < 4; i++) {
            ask("loud");
        }
        List<Question> running = new ArrayList<>();
        for (Optional<Question> next = queue.next(); next.isPresent(); next = queue.next()) {
            running.add(next.get());
        }
        assertThat(running).hasSize(SHARE.jobsOfOne());
        ask("quiet");
        assertThat(queue.next().orElseThrow().from.device()).isEqualTo("quiet");
        queue.done(running.getFirst());
        assertThat(queue.next().orElseThrow().from.device()).isEqualTo("loud");
    }

    @Test
    void noMoreJobsRunThanThereAre() {
        for (int i = 0; i < 2 * SHARE.jobs(); i++) {
            ask("device-" + i);
        }
        int running = 0;
        while (queue.next().isPresent()) {
            running++;
        }
        assertThat(running).isEqualTo(SHARE.jobs());
    }

    @Test
    void oneThatAsksTooMuchIsToldSoOnceASecond() {
        List<Taken> taken = new ArrayList<>();
        for (int i = 0; i < SHARE.waitingOfOne(); i++) {
            assertThat(ask("loud")).isEqualTo(Taken.WAITS);
        }
        for (int i = 0; i < 1000; i++) {
            taken.add(ask("loud"));
        }
        assertThat(taken).containsOnlyOnce(Taken.REFUSED).doesNotContain(Taken.WAITS);
        now += Duration.ofSeconds(1).toNanos();
        assertThat(ask("loud")).isEqualTo(Taken.REFUSED);
        assertThat(ask("loud")).isEqualTo(Taken.DROPPED);
    }

    @Test
    void madeUpNamesPushOutTheEldestAndNothingGrows() {
        for (int i = 0; i < 100_000; i++) {
            assertThat(ask("ghost-" + i)).isEqualTo(Taken.WAITS);
        }
        assertThat(queue.waiting()).isEqualTo(SHARE.waiting());
        assertThat(queue.devices()).isEqualTo(SHARE.waiting());
        ask("new");
        List<String> all = new ArrayList<>();
        for (String device = served(); !device.isEmpty(); device = served()) {
            all.add(device);
        }
        assertThat(all).hasSize(SHARE.waiting()).contains("new");
        assertThat(queue.devices()).as("nothing of them is left").isZero();
    }

    @Test
    void whatWaitsIsBoundedByItsLengthToo() {
        for (int i = 0; i < 1000; i++) {
            ask("ghost-" + i, CHEAP, 3_000);
        }
        assertThat(queue.waiting()).isEqualTo(3);
    }

    /** Whatever is asked and answered: no bound is passed, nothing is lost but by the bounds, and nothing is left behind. */
    @Test
    void staysWithinItsBoundsInAnyOrderOfCalls() {
        Random random = new Random(7);
        List<Question> running = new ArrayList<>();
        for (int i = 0; i < 200_000; i++) {
            switch (random.nextInt(3)) {
                case 0 -> ask("device-" + random.nextInt(40), random.nextBoolean() ? CHEAP : DEAR, random.nextInt(300));
                case 1 -> queue.next().ifPresent(running::add);
                default -> {
                    if (!running.isEmpty()) {
                        queue.done(running.remove(random.nextInt(running.size())));
                    }
                }
            }
            assertThat(running.size()).isLessThanOrEqualTo(SHARE.jobs());
            assertThat(queue.waiting()).isLessThanOrEqualTo(SHARE.waiting());
        }
        running.forEach(queue::done);
        while (!served().isEmpty()) {
            assertThat(queue.waiting()).isLessThan(SHARE.waiting());
        }
        assertThat(queue.waiting()).isZero();
        assertThat(queue.devices()).isZero();
    }
}
