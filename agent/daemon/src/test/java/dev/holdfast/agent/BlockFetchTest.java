package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.trust.client.BlockSink;
import dev.holdfast.trust.client.BlockSource.Cut;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Blocks over a broker that takes short messages, and over a line that carries few bytes in time. */
@Timeout(60)
class BlockFetchTest {
    private static final Duration ANSWER = Duration.ofMillis(500);
    private static final int BLOCK = 96 * 1024;
    private static final Sha256 BLOB = Sha256.of(new byte[0]);

    private long maxPacketBytes = Long.MAX_VALUE;
    private final Questions asker = new Questions(this::line, () -> 0);
    private final BlockFetch blocks = new BlockFetch(asker::ask, () -> maxPacketBytes, () -> {}, ANSWER);
    private final byte[] file = new byte[2 * BLOCK + 30_001];
    private final Map<Integer, Binary> came = new TreeMap<>();
    private final BlockSink sink = (index, data) -> {
        byte[] wanted = Arrays.copyOfRange(file, index * BLOCK, Math.min(file.length, (index + 1) * BLOCK));
        boolean holds = data.equals(Binary.copyOf(wanted));
        if (holds) {
            came.put(index, data);
        }
        return holds;
    };

    /** Most bytes that the line carries for one question in time. */
    private long carries = Long.MAX_VALUE;

    private long carriesInAll = Long.MAX_VALUE;
    private boolean down;
    private long questions;
    private long answered;
    private int longest;
    private int poisoned;

    BlockFetchTest() {
        new Random(35).nextBytes(file);
    }

    private void line(byte[] question) throws IOException {
        if (down) {
            throw new SourceException(Code.LNK_DOWN, "the broker is away");
        }
        try {
            serve(Request.decode(question).orThrow());
        } catch (RejectedException e) {
            throw new AssertionError(e);
        }
    }

    /** As the fleet service does, which knows no cut but that of the question. */
    private void serve(Request request) {
        questions++;
        if (!(request.body() instanceof Request.Blocks(Sha256 _, int bytes, List<Integer> indices))) {
            throw new AssertionError(request);
        }
        long left = carries;
        for (int index : indices) {
            int at = index * bytes;
            assertThat(at).as("within the file").isLessThan(file.length);
            byte[] data = Arrays.copyOfRange(file, at, Math.min(file.length, at + bytes));
            if (poisoned > 0) {
                poisoned--;
                data[0] ^= 1;
            }
            byte[] answer = new Reply(request.id(), new Reply.Block(index, Binary.copyOf(data))).encode();
            left -= answer.length;
            carriesInAll -= left < 0 ? 0 : answer.length;
            if (left < 0 || carriesInAll < 0) {
                return;
            }
            longest = Math.max(longest, answer.length);
            answered += data.length;
            asker.received(answer);
        }
    }

    private void fetch() throws IOException {
        List<Integer> wanted =
                IntStream.range(0, 3).filter(i -> !came.containsKey(i)).boxed().toList();
        blocks.fetch(BLOB, new Cut(file.length, BLOCK), wanted, sink);
    }

    @Test
    void wholeBlocksComeByOneQuestionWhereNothingLimitsThem() throws Exception {
        fetch();
        assertThat(came).hasSize(3);
        assertThat(questions).isEqualTo(1);
    }

    @Test
    void blocksComeInPiecesThatTheBrokerTakes() throws Exception {
        for (int most : new int[] {100_000, 65_536, 40_000, 8_192}) {
            came.clear();
            longest = 0;
            answered = 0;
            maxPacketBytes = most;
            fetch();
            assertThat(came).hasSize(3);
            // Topic and packet are around it: 200 bytes at most.
            assertThat(longest).isLessThanOrEqualTo(most - 200).isGreaterThan(most / 4);
            assertThat(answered).isEqualTo(file.length);
        }
    }

    @Test
    void aBrokerThatTakesNotEvenThatIsRefusedByTheNameOfTheLimit() {
        maxPacketBytes = 2_000;
        assertThatThrownBy(this::fetch)
                .isInstanceOfSatisfying(
                        SourceException.class,
                        e -> assertThat(SourceException.reasonOf(e).code()).isEqualTo(Code.LNK_LIMIT))
                .hasMessageContaining("Maximum Packet Size")
                .hasMessageContaining("2000");
    }

    /** Each failure halves what is asked for at once, and what came is not asked for again. */
    @Test
    void aLineThatCarriesLessThanABlockInTimeCarriesAllOfThemInTheEnd() throws Exception {
        carries = 7_000;
        int failures = 0;
        while (came.size() < 3) {
            try {
                fetch();
            } catch (SourceException e) {
                assertThat(SourceException.reasonOf(e).code()).isEqualTo(Code.LNK_TIMEOUT);
                assertThat(++failures).as("of a device's eight attempts").isLessThan(6);
            }
        }
        assertThat(answered).as("bytes that came").isLessThanOrEqualTo(file.length);
    }

    @Test
    void theWindowGrowsAgainWithEachThatComes() throws Exception {
        TransferWindow window = new TransferWindow();
        long most = window.bytes();
        for (int i = 0; i < 20; i++) {
            window.lost(true);
        }
        assertThat(window.bytes()).isEqualTo(1024);
        assertThat(window.pieceBytes(BLOCK, Long.MAX_VALUE)).isEqualTo(1536);
        assertThat(window.pieces(1536)).isEqualTo(1);
        int steps = 0;
        for (; window.bytes() < most; steps++) {
            window.came(BLOCK);
        }
        assertThat(steps).as("never by more than an eighth").isBetween(50, 80);
        window.lost(false);
        assertThat(window.bytes()).isEqualTo(most / 2);
        window.lost(true);
        assertThat(window.bytes()).isEqualTo(most / 8);
        // An odd block cannot be halved.
        assertThat(window.pieceBytes(1_000_001, 1_000)).isEqualTo(1_000_001);
    }

    /** However fast the line is by then. */
    @Test
    void aBlockThatWasBegunInPiecesIsNotAskedForWhole() throws Exception {
        carries = 50_000;
        carriesInAll = 50_000;
        for (int i = 0; i < 6 && answered == 0; i++) {
            assertThatThrownBy(this::fetch).isInstanceOf(SourceException.class).hasMessageContaining("did not come");
        }
        assertThat(answered).isBetween(1L, (long) BLOCK - 1);
        carriesInAll = Long.MAX_VALUE;
        carries = Long.MAX_VALUE;
        for (int i = 0; i < 100; i++) {
            blocks.window().came(BLOCK);
        }
        assertThat(came).isEmpty();
        fetch();
        assertThat(came).hasSize(3);
        assertThat(answered).isEqualTo(file.length);
    }

    @Test
    void aQuestionThatCouldNotBeAskedTellsNothingOfTheLine() {
        long before = blocks.window().bytes();
        down = true;
        assertThatThrownBy(this::fetch).isInstanceOf(SourceException.class).hasMessageContaining("is away");
        assertThat(blocks.window().bytes()).isEqualTo(before);
        down = false;
        carries = 0;
        assertThatThrownBy(this::fetch).isInstanceOf(SourceException.class).hasMessageContaining("did not come");
        assertThat(blocks.window().bytes()).isEqualTo(before / 4);
    }

    @Test
    void aPieceThatIsNotTheServicesCostsItsBlockOnce() throws Exception {
        maxPacketBytes = 40_000;
        poisoned = 1;
        fetch();
        assertThat(came).hasSize(3);
        assertThat(answered).isEqualTo(file.length + BLOCK);
    }
}
