package dev.holdfast.sockets;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private static final Admission.Places SMALL = new Admission.Places(10, 4, 2, 3);

    private static Optional<Peer> user(long uid) {
        return Optional.of(new Peer(uid, List.of(), Peer.NO_PID));
    }

    private static List<Admission.Place> fill(Admission admission, Optional<Peer> peer) {
        List<Admission.Place> places = new ArrayList<>();
        for (Optional<Admission.Place> next = admission.enter(peer); next.isPresent(); next = admission.enter(peer)) {
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
        assertThat(admission.enter(user(1002))).isEmpty();
        assertThat(admission.enter(Optional.empty())).isEmpty();
        assertThat(fill(admission, user(4242))).as("the agent").hasSize(8);
    }

    @Test
    void strangersAndPeersThatTheKernelDoesNotNameMayNotAsk() {
        Admission admission = new Admission(PeerPolicy.onlyUsers(Set.of(4242L)), SMALL);
        assertThat(admission.allows(user(4242))).isTrue();
        assertThat(admission.allows(user(0))).isTrue();
        assertThat(admission.allows(user(65534))).isFalse();
        assertThat(admission.allows(Optional.empty())).isFalse();
        assertThat(new Admission(PeerPolicy.everyone(), SMALL).allows(Optional.empty()))
                .isTrue();
    }
}
