package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MessagesTest {
    private static final Binary ID = Binary.copyOf(new byte[Request.ID_BYTES]);
    private static final Sha256 BLOB = Sha256.of(new byte[] {1});

    private static final List<Request> ASKS = Stream.<Request.Body>of(
                    new Request.Metadata("timestamp.json", 0),
                    new Request.Director(Binary.copyOf(new byte[32]), 7),
                    new Request.Leaves(BLOB, 0, 100),
                    new Request.Blocks(BLOB, 32768, List.of(1, 2, 3)),
                    new Request.Enrol(Binary.copyOf(new byte[100])),
                    new Request.Prove(Binary.copyOf(new byte[32])))
            .map(body -> new Request(ID, body))
            .toList();

    private static final List<Reply> ANSWERS = Stream.<Reply.Body>of(
                    new Reply.Part(10, 0, Binary.copyOf(new byte[10])),
                    new Reply.Absent(),
                    new Reply.Leaves(0, Binary.copyOf(new byte[64])),
                    new Reply.Block(3, Binary.copyOf(new byte[1000])),
                    new Reply.Enrolment(Binary.copyOf(new byte[20])),
                    new Reply.Refused("LNK-REFUSED", "no"),
                    new Reply.Refused("API-BUSY", "later", 30))
            .map(body -> new Reply(ID, body))
            .toList();

    private static final Binary NONCE = Binary.copyOf(new byte[32]);

    private static final List<Challenge> CHALLENGES = List.of(
            new Challenge(NONCE),
            new Challenge(
                    NONCE,
                    java.util.Optional.of(
                            new Challenge.Seal(1_800_000_000, Binary.copyOf(new byte[Challenge.Seal.BYTES])))));

    private static final List<Evidence> EVIDENCE = Stream.of(10, 2 * Evidence.MAX_PART_BYTES + 1)
            .flatMap(length -> Evidence.parts(NONCE, Binary.copyOf(new byte[length])).stream())
            .toList();

    @Test
    void everyMessageComesBackAsItWas() {
        CHALLENGES.forEach(one -> assertThat(Challenge.decode(one.encode())).isEqualTo(Verdict.accepted(one)));
        EVIDENCE.forEach(one -> assertThat(Evidence.decode(one.encode())).isEqualTo(Verdict.accepted(one)));
        CHALLENGES.forEach(one -> assertThat(one.encode().length).isLessThanOrEqualTo(Challenge.MAX_BYTES));
        ASKS.forEach(ask -> assertThat(Request.decode(ask.encode())).isEqualTo(Verdict.accepted(ask)));
        ANSWERS.forEach(answer -> assertThat(Reply.decode(answer.encode())).isEqualTo(Verdict.accepted(answer)));
    }

    @Test
    void mutatedMessagesAreReadOrRejectedButNeverThrow() {
        Random random = new Random(11);
        int rejected = 0;
        for (int round = 0; round < 20_000; round++) {
            Request ask = ASKS.get(random.nextInt(ASKS.size()));
            Reply answer = ANSWERS.get(random.nextInt(ANSWERS.size()));
            rejected += refused(Request::decode, mutate(ask.encode(), random));
            rejected += refused(Reply::decode, mutate(answer.encode(), random));
            Challenge challenge = CHALLENGES.get(random.nextInt(CHALLENGES.size()));
            rejected += refused(Challenge::decode, mutate(challenge.encode(), random));
        }
        for (int round = 0; round < 500; round++) {
            rejected += refused(
                    Evidence::decode, mutate(EVIDENCE.get(random.nextInt(4)).encode(), random));
        }
        assertThat(rejected).isGreaterThan(10_000);
    }

    @Test
    void topicsOfOthersAndWildcardsAreNoDeviceTopics() {
        assertThat(Topics.parse("holdfast/v1/f/d/dev-1/ask").isAccepted()).isTrue();
        for (String topic : List.of("", "/", "holdfast/v1/f/d/+/ask", "holdfast/v1/f/d/a/b/c", "x/v1/f/d/dev/ask")) {
            assertThat(Topics.parse(topic).isAccepted()).as(topic).isFalse();
        }
    }

    private static int refused(Function<byte[], Verdict<?>> decode, byte[] bytes) {
        return decode.apply(bytes).isAccepted() ? 0 : 1;
    }

    private static byte[] mutate(byte[] bytes, Random random) {
        byte[] mutated = random.nextInt(4) == 0
                ? java.util.Arrays.copyOf(bytes, random.nextInt(bytes.length + 1))
                : bytes.clone();
        for (int i = random.nextInt(4); i >= 0 && mutated.length > 0; i--) {
            mutated[random.nextInt(Math.min(mutated.length, 80))] = (byte) random.nextInt();
        }
        return mutated;
    }
}
