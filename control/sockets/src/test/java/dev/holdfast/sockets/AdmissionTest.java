package dev.holdfast.sockets;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private static final Admission.Places SMALL =
            new Admission.Places(10, 4, 2, 3, new Admission.Places.Bytes(100, 40, 30), 10);

    private static final long NOW = System.nanoTime();

    private static Optional<Peer> user(long uid) {
        return Optional.of(new Peer(uid, List.of(), Peer.NO_PID));
    }

    private static List<Admission.Place> fill(Admission admission, Optional<Peer> peer) {
        List<Admission.Place> places = new ArrayList<>();
        for (Optional<Admission.Place> next = admission.enter(peer, NOW);
                next.isPresent();
                next = admission.enter(peer, NOW)) {
            places.add(next.get());
        }
        return places;
    }

    @Test
    void aUserThatHoldsAllItsPlacesTakesNoneOfAnothers() {
        Admission admission = new Admission(PeerPolicy.everyone(), SMALL);
        List<Admission.Place> first = fill(admission, user(1001));
        assertThat(first).hasSize(4);
        List<Admission.Place> second = fill(admission, user(1002));
        assertThat(second).hasSize(3);
        assertThat(fill(admission, user(1003))).as("the rest is reserved").isEmpty();
        assertThat(fill(admission, user(0))).as("for root").hasSize(3);
        first.getFirst().leave();
        first.getFirst().leave();
        assertThat(fill(admission, user(1001))).as("a place is left once").isEmpty();
        first.forEach(Admission.Place::leave);
        second.forEach(Admission.Place::leave);
        assertThat(fill(admission, user(1003))).hasSize(4);
    }

    @Test
    void strangersShareFewPlaces() {
        Admission admission = new Admission(PeerPolicy.onlyUsers(Set.of(4242L)), SMALL);
        assertThat(fill(admission, user(1001))).hasSize(2);
        assertThat(admission.enter(user(1002), NOW)).isEmpty();
        assertThat(admission.enter(Optional.empty(), NOW)).isEmpty();
        assertThat(fill(admission, user(4242))).as("the agent").hasSize(8);
    }

    @Test
    void strangersAndPeersThatTheKernelDoesNotNameMayNotAsk() {
        Admission admission = new Admission(PeerPolicy.onlyUsers(Set.of(4242L)), SMALL);
        assertThat(admission.enter(user(4242), NOW).orElseThrow().allowed()).isTrue();
        assertThat(admission.enter(user(0), NOW).orElseThrow().allowed()).isTrue();
        assertThat(admission.enter(user(65534), NOW).orElseThrow().allowed()).isFalse();
        assertThat(admission.enter(Optional.empty(), NOW).orElseThrow().allowed())
                .isFalse();
        assertThat(new Admission(PeerPolicy.everyone(), SMALL)
                        .enter(Optional.empty(), NOW)
                        .orElseThrow()
                        .allowed())
                .isTrue();
    }

    @Test
    void theBodiesOfOneUserLeaveRoomForThoseOfOthers() {
        Admission admission = new Admission(PeerPolicy.everyone(), SMALL);
        Admission.Place one = admission.enter(user(1001), NOW).orElseThrow();
        Admission.Place same = admission.enter(user(1001), NOW).orElseThrow();
        assertThat(one.hold(30)).isTrue();
        assertThat(same.hold(11)).as("one user has 40 bytes").isFalse();
        assertThat(same.hold(10)).isTrue();
        Admission.Place other = admission.enter(user(1002), NOW).orElseThrow();
        assertThat(other.hold(31)).as("30 of 100 are reserved").isFalse();
        assertThat(other.hold(30)).isTrue();
        Admission.Place root = admission.enter(user(0), NOW).orElseThrow();
        assertThat(root.hold(30)).isTrue();
        assertThat(root.hold(1)).as("of all 100").isFalse();
        one.leave();
        one.leave();
        assertThat(root.hold(30)).as("what a connection held ends with it").isTrue();
        assertThat(root.hold(1)).isFalse();
        assertThat(one.hold(1)).as("of a connection that ended").isFalse();
        root.release();
        assertThat(same.hold(30)).isTrue();
    }

    @Test
    void whatOneUserAsksTooFastWaits() {
        Admission admission = new Admission(PeerPolicy.everyone(), SMALL);
        Admission.Place one = admission.enter(user(1001), NOW).orElseThrow();
        Admission.Place same = admission.enter(user(1001), NOW).orElseThrow();
        long now = System.nanoTime();
        for (int i = 0; i < 11; i++) {
            assertThat((i % 2 == 0 ? one : same).ask(now)).isZero();
        }
        long tenth = 100_000_000;
        assertThat(one.ask(now)).isEqualTo(tenth);
        assertThat(same.ask(now)).isEqualTo(2 * tenth);
        assertThat(admission.enter(user(1002), NOW).orElseThrow().ask(now)).isZero();
        assertThat(same.ask(now + 3 * tenth)).as("it is their turn by then").isZero();
        Admission.Place root = admission.enter(user(0), NOW).orElseThrow();
        for (int i = 0; i < 100; i++) {
            assertThat(root.ask(now)).isZero();
        }
    }

    @Test
    void aFloodDoesNotCountForLongerThanTwoSeconds() {
        Admission admission = new Admission(PeerPolicy.everyone(), SMALL);
        Admission.Place place = admission.enter(user(1001), NOW).orElseThrow();
        long second = 1_000_000_000;
        for (int i = 0; i < 10_000; i++) {
            place.ask(NOW);
        }
        assertThat(place.ask(NOW)).as("at most").isEqualTo(second);
        assertThat(place.ask(NOW + 2 * second)).as("forgiven").isZero();
        long request = 16 * 1024;
        assertThat(place.charge(19 * request, NOW + 2 * second)).isZero();
        assertThat(place.charge(request, NOW + 2 * second))
                .as("what is beyond is not read")
                .isEqualTo(second);
        assertThat(place.charge(1_000_000 * request, NOW + 2 * second)).isEqualTo(second);
        assertThat(place.ask(NOW + 3 * second)).as("a second later").isZero();
    }

    @Test
    void whatOneUserConnectsTooFastIsRefused() {
        Admission admission = new Admission(PeerPolicy.everyone(), SMALL);
        // One stays, so that the user is known however slow this machine is.
        admission.enter(user(1001), NOW).orElseThrow();
        for (int i = 0; i < 10; i++) {
            admission.enter(user(1001), NOW).orElseThrow().leave();
        }
        long tenth = 100_000_000;
        assertThat(admission.enter(user(1001), NOW)).isEmpty();
        assertThat(admission.enter(user(1002), NOW)).as("another user").isPresent();
        for (int i = 0; i < 100; i++) {
            admission.enter(user(0), NOW).orElseThrow().leave();
        }
        assertThat(admission.enter(user(1001), NOW + tenth)).isPresent();
        assertThat(admission.enter(user(1001), NOW + tenth))
                .as("one each tenth of a second")
                .isEmpty();
        assertThat(admission.enter(user(1001), NOW + 2 * tenth))
                .as("what was refused is not counted")
                .isPresent();
    }

    @Test
    void peersThatTheKernelDoesNotNameAreOneUserWithEveryPlace() {
        Admission admission = Admission.ofOneUser(3);
        long now = System.nanoTime();
        Admission.Place first = admission.enter(Optional.empty(), now).orElseThrow();
        for (int i = 0; i < 2; i++) {
            assertThat(admission.enter(Optional.empty(), now).orElseThrow().allowed())
                    .isTrue();
        }
        assertThat(admission.enter(Optional.empty(), now)).isEmpty();
        first.leave();
        assertThat(admission.enter(Optional.empty(), now)).isPresent();
    }
}
