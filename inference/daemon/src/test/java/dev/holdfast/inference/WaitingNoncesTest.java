package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Binary;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Users of one device who ask for evidence, one of whom asks without end. */
class WaitingNoncesTest {
    private static final long HOSTILE = 1000;
    private static final long HONEST = 1001;

    private final WaitingNonces waiting = new WaitingNonces();

    private static Binary nonce(long uid, int number) {
        return Binary.copyOf(ByteBuffer.allocate(16).putLong(uid).putInt(number).array());
    }

    private int flood(long uid) {
        int entered = 0;
        while (entered < 1_000 && waiting.enter(uid)) {
            waiting.add(uid, nonce(uid, entered++));
        }
        return entered;
    }

    @Test
    void aUserWhoAsksWithoutEndHasAShare() {
        assertThat(flood(HOSTILE)).isEqualTo(WaitingNonces.PLACES_OF_USER);
        assertThat(waiting.enter(HONEST)).isTrue();
        waiting.add(HONEST, nonce(HONEST, 1));
        assertThat(waiting.take(2)).containsExactly(nonce(HOSTILE, 0), nonce(HONEST, 1));
        assertThat(waiting.take(1)).containsExactly(nonce(HOSTILE, 1));
    }

    @Test
    void placesAreKeptForUsersOfWhomNobodyWaits() {
        for (long uid = 0; uid < 10; uid++) {
            flood(uid);
        }
        assertThat(waiting.taken()).isLessThanOrEqualTo(WaitingNonces.PLACES + 10);
        assertThat(waiting.enter(HONEST)).isTrue();
        for (long uid = 2000; uid < 4000; uid++) {
            flood(uid);
        }
        assertThat(waiting.taken()).isEqualTo(WaitingNonces.PLACES_WITH_RESERVE);
    }

    @Test
    void whatIsGivenUpIsGoneAndItsPlaceIsFree() {
        flood(HOSTILE);
        for (int i = 0; i < WaitingNonces.PLACES_OF_USER; i++) {
            waiting.drop(nonce(HOSTILE, i));
            waiting.leave(HOSTILE);
        }
        assertThat(waiting.taken()).isZero();
        assertThat(waiting.take(100)).isEqualTo(List.of());
        assertThat(flood(HOSTILE)).isEqualTo(WaitingNonces.PLACES_OF_USER);
    }
}
