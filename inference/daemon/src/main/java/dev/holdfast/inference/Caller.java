package dev.holdfast.inference;

import dev.holdfast.sockets.Peer;
import dev.holdfast.sockets.PeerPolicy;
import java.util.Optional;

/**
 * Who asks for an answer.
 *
 * @param user whose earlier prompts may be built on; empty when nobody's may, and nothing is kept
 * @param bounded whether the user has a share of a model's places; else it may take all of them
 */
record Caller(Optional<Long> user, boolean bounded) {
    /** Nobody in particular, without bounds: this process itself. */
    static final Caller SELF = new Caller(Optional.empty(), false);

    /** The program at the other end of a socket. The operator and this process's own user have no share to keep to. */
    static Caller of(Optional<Peer> peer) {
        return new Caller(peer.map(Peer::uid), !isOperator(peer));
    }

    /** Root and this process's own user, who may have what tells of other users or of the model itself. */
    static boolean isOperator(Optional<Peer> peer) {
        return PeerPolicy.everyone().names(peer);
    }

    KeyedThreads.Owner owner() {
        return bounded ? new KeyedThreads.Owner(user.orElse(-1L), true) : KeyedThreads.Owner.ANY;
    }
}
