package dev.holdfast.fleet.attest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.link.Evidence;
import dev.holdfast.wire.Binary;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Somebody else sends parts in the device's place: the device's own evidence is among what becomes whole. */
class EvidenceCandidatesTest {
    private static final Binary NONCE = Binary.copyOf(new byte[32]);
    private static final int LONG = 3 * Evidence.MAX_PART_BYTES + 17;

    private final EvidenceCandidates candidates = new EvidenceCandidates(NONCE, new Random(1));
    private final List<Binary> whole = new ArrayList<>();

    private static Binary token(int seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return Binary.copyOf(bytes);
    }

    private static List<Evidence> parts(int seed) {
        return Evidence.parts(NONCE, token(seed, LONG));
    }

    private void take(Evidence part) {
        candidates.take(part).forEach(bytes -> whole.add(Binary.copyOf(bytes)));
    }

    @Test
    void partsInOrderBecomeTheWhole() {
        parts(1).forEach(this::take);
        assertThat(whole).containsExactly(token(1, LONG));
        take(Evidence.parts(NONCE, token(2, 1000)).getFirst());
        assertThat(whole).contains(token(2, 1000));
        Evidence.parts(Binary.copyOf(new byte[16]), token(3, 1000)).forEach(this::take);
        assertThat(whole).doesNotContain(token(3, 1000));
    }

    @Test
    void badBeginningsBeforeTheDevicesSpoilNothing() {
        for (int bad = 100; bad < 103; bad++) {
            take(parts(bad).getFirst());
        }
        take(Evidence.parts(NONCE, token(7, LONG + 1)).getFirst());
        parts(1).forEach(this::take);
        assertThat(whole).contains(token(1, LONG));
    }

    @Test
    void aBadPartBeforeEachOfTheDevicesSpoilsNothing() {
        for (int at = 0; at < parts(1).size(); at++) {
            for (int victim = 0; victim < parts(1).size(); victim++) {
                EvidenceCandidatesTest fresh = new EvidenceCandidatesTest();
                for (int i = 0; i < parts(1).size(); i++) {
                    if (i == victim) {
                        fresh.take(parts(9).get(at));
                    }
                    fresh.take(parts(1).get(i));
                }
                assertThat(fresh.whole).as("part %s before part %s", at, victim).contains(token(1, LONG));
            }
        }
    }

    @Test
    void partsThatComeTwiceAreNotKeptTwice() {
        for (Evidence part : parts(1)) {
            take(part);
            take(part);
            assertThat(candidates.size()).isEqualTo(1);
        }
        assertThat(whole).contains(token(1, LONG));
    }

    /** The device is asked again, and its evidence is another one by then. */
    @Test
    void aSecondAnswerIsJoinedBesideTheRestOfTheFirst() {
        parts(1).subList(0, 2).forEach(this::take);
        parts(2).forEach(this::take);
        assertThat(whole).contains(token(2, LONG));
    }

    @Test
    void aFloodOfBeginningsTakesBoundedMemory() {
        for (int bad = 0; bad < 1000; bad++) {
            take(parts(bad).getFirst());
        }
        assertThat(candidates.size()).isEqualTo(EvidenceCandidates.MOST);
        parts(2000).forEach(this::take);
        assertThat(whole).contains(token(2000, LONG));
    }
}
