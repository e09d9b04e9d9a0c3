package dev.holdfast.sockets;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private static Optional<Peer> user(long uid) {
        return Optional.of(new Peer(uid, List.of(), Peer.NO_PID));
    }

    @Test
    void connectionsBeyondTheBoundAreTurnedAwayUntilOneEnds() {
        Admission admission = new Admission(PeerPolicy.everyone(), 2);
        assertThat(admission.enter()).isTrue();
        assertThat(admission.enter()).isTrue();
        assertThat(admission.enter()).isFalse();
        admission.leave(); // The one that was turned away.
        admission.leave();
        assertThat(admission.enter()).isTrue();
        assertThat(admission.enter()).isFalse();
    }

    @Test
    void strangersAndPeersThatTheKernelDoesNotNameMayNotAsk() {
        Admission admission = new Admission(PeerPolicy.onlyUsers(Set.of(4242L)), 2);
        assertThat(admission.allows(user(4242))).isTrue();
        assertThat(admission.allows(user(0))).isTrue();
        assertThat(admission.allows(user(65534))).isFalse();
        assertThat(admission.allows(Optional.empty())).isFalse();
        assertThat(new Admission(PeerPolicy.everyone(), 2).allows(Optional.empty()))
                .isTrue();
    }
}
