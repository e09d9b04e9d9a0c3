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
    private static final Binary ID = Binary.copyOf(new byte[Ask.ID_BYTES]);
    private static final Sha256 BLOB = Sha256.of(new byte[] {1});

    private static final List<Ask> ASKS = Stream.<Ask.Body>of(
                    new Ask.Metadata("timestamp.json", 0),
                    new Ask.Director(Binary.copyOf(new byte[32]), 7),
                    new Ask.Leaves(BLOB, 0, 100),
                    new Ask.Blocks(BLOB, 32768, List.of(1, 2, 3)),
                    new Ask.Enrol(Binary.copyOf(new byte[100])),
                    new Ask.Prove(Binary.copyOf(new byte[32])))
            .map(body -> new Ask(ID, body))
            .toList();

    private static final List<Answer> ANSWERS = Stream.<Answer.Body>of(
                    new Answer.Part(10, 0, Binary.copyOf(new byte[10])),
                    new Answer.Absent(),
                    new Answer.Leaves(0, Binary.copyOf(new byte[64])),
                    new Answer.Block(3, Binary.copyOf(new byte[1000])),
                    new Answer.Enrolment(Binary.copyOf(new byte[20])),
                    new Answer.Refused("LNK-REFUSED", "no"),
                    new Answer.Refused("API-BUSY", "later", 30))
            .map(body -> new Answer(ID, body))
            .toList();

    @Test
    void everyMessageComesBackAsItWas() {
        ASKS.forEach(ask -> assertThat(Ask.decode(ask.encode())).isEqualTo(Verdict.accepted(ask)));
        ANSWERS.forEach(answer -> assertThat(Answer.decode(answer.encode())).isEqualTo(Verdict.accepted(answer)));
    }

    @Test
    void mutatedMessagesAreReadOrRejectedButNeverThrow() {
        Random random = new Random(11);
        int rejected = 0;
        for (int round = 0; round < 20_000; round++) {
            Ask ask = ASKS.get(random.nextInt(ASKS.size()));
            Answer answer = ANSWERS.get(random.nextInt(ANSWERS.size()));
            rejected += refused(Ask::decode, mutate(ask.encode(), random));
            rejected += refused(Answer::decode, mutate(answer.encode(), random));
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
